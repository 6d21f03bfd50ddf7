"""What an operator may ask of a supervisor: start a child anew, whatever it is doing."""

import pytest
from trio.testing import wait_all_tasks_blocked

from router.actors.health import State
from router.actors.restart import Backoff, Intensity
from router.actors.supervisor import Child, GiveUp, Strategy
from tests.actors.doubles import Bench, Loaded


async def test_a_running_child_is_started_anew_and_loses_no_message() -> None:
    bench = Bench()
    async with bench.running(bench.supervisor("root", [bench.echo("a"), bench.echo("b")])):
        await bench.registry.restart("a")
        assert bench.journal == ["start a", "start b", "end a", "start a"]
        assert await bench.ask("a", "back") == "back"
        assert bench.registry.find("a").restarts == 0, "those that an operator asked for do not count"


async def test_those_after_it_are_started_anew_where_they_rely_on_it() -> None:
    bench = Bench()
    children = [bench.echo(name) for name in "abc"]
    async with bench.running(bench.supervisor("root", children, strategy=Strategy.REST_FOR_ONE)):
        await bench.registry.restart("b")
        assert await bench.ask("c", "back") == "back"
        assert bench.journal[3:] == ["end b", "end c", "start b", "start c"]


async def test_a_parked_subtree_comes_back_whole() -> None:
    bench = Bench()
    below = Child(
        "below",
        lambda: bench.supervisor("below", [bench.echo("a")], intensity=Intensity(0, 60)),
        give_up=GiveUp.PARK,
    )
    async with bench.running(bench.supervisor("root", [below])):
        await bench.fell("a")
        await wait_all_tasks_blocked()
        assert bench.registry.find("below").state is State.FAILED
        with pytest.raises(RuntimeError, match="below, which keeps a, does not run: restart that one first"):
            await bench.registry.restart("a")
        await bench.registry.restart("below")
        assert bench.registry.find("below").state is State.RUNNING
        assert await bench.ask("a", "back") == "back"


async def test_a_child_that_waits_for_its_restart_is_started_at_once() -> None:
    bench = Bench()
    slow = Backoff(first=3600.0, cap=3600.0)
    async with bench.running(bench.supervisor("root", [bench.echo("a")], backoff=slow, random=Loaded())):
        await bench.fell("a")
        assert bench.registry.find("a").state is State.BACKOFF
        await bench.registry.restart("a")
        assert await bench.ask("a", "back") == "back"


async def test_the_root_and_strangers_are_refused() -> None:
    bench = Bench()
    async with bench.running(bench.supervisor("root", [bench.echo("a")])):
        with pytest.raises(ValueError, match="root is the root of all actors"):
            await bench.registry.restart("root")
        with pytest.raises(KeyError):
            await bench.registry.restart("nobody")
