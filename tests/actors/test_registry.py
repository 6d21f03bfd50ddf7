"""The tree by name."""

from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from router.actors.health import State, as_json
from router.actors.mailbox import Mailbox
from router.actors.registry import Registry
from router.actors.supervisor import run_root
from router.clocks import ManualClock
from router.errors import Busy
from tests.actors.doubles import Bench


async def test_snapshot_is_the_whole_tree() -> None:
    bench = Bench()
    inner = bench.subtree("core", [bench.echo("core/a"), bench.echo("core/b")])
    async with bench.running(bench.supervisor("root", [inner, bench.echo("http")])):
        shape = as_json(bench.registry.snapshot())
        assert shape["name"] == "root"
        assert [child["name"] for child in shape["children"]] == ["core", "http"]
        assert [child["name"] for child in shape["children"][0]["children"]] == ["core/a", "core/b"]
        assert bench.registry.find("core/b").state is State.RUNNING


async def test_unknown_name_is_a_key_error_and_an_empty_registry_a_lookup_error() -> None:
    registry = Registry(ManualClock())
    with pytest.raises(KeyError):
        registry.find("a")
    with pytest.raises(LookupError, match="run a root supervisor"):
        registry.snapshot()


async def test_health_is_readable_while_the_mailbox_is_full_and_the_actor_stuck(autojump_clock: MockClock) -> None:
    bench = Bench()
    child = replace(bench.echo("a", capacity=2), stall_after=None)
    async with bench.running(bench.supervisor("root", [child])):
        bench.mailboxes["a"].tell("sleep 40")
        await wait_all_tasks_blocked()
        bench.mailboxes["a"].tell("queued")
        bench.mailboxes["a"].tell("queued")
        with pytest.raises(Busy):
            bench.mailboxes["a"].tell("too much")
        await trio.sleep(30)
        health = bench.registry.find("a")
        assert health.mailbox is not None
        assert (health.mailbox.depth, health.mailbox.capacity, health.mailbox.refused) == (2, 2, 1)
        assert (health.processed, health.progress_age) == (1, 30.0)


async def test_since_is_when_the_state_began() -> None:
    bench = Bench()
    began = bench.clock.now()
    async with bench.running(bench.supervisor("root", [bench.echo("a")])):
        bench.clock.advance(5000)
        await bench.ask("a", "hello")
        assert bench.registry.find("a").since == began
        await bench.fell("a")
        await bench.ask("a", "hello")
        assert bench.registry.find("a").since == began + 5000


async def test_processed_counts_over_all_incarnations() -> None:
    bench = Bench()
    async with bench.running(bench.supervisor("root", [bench.echo("a")])):
        await bench.ask("a", "one")
        await bench.fell("a")
        await bench.ask("a", "two")
        assert bench.registry.find("a").processed == 3


async def test_stalled_lists_who_is_over_the_limit_before_anyone_acts(autojump_clock: MockClock) -> None:
    registry = Registry(ManualClock())
    mailbox: Mailbox[str] = Mailbox("a", 4)
    bench = Bench()
    bench.mailboxes["a"] = mailbox
    bench.registry = registry
    async with bench.running(bench.supervisor("root", [replace(bench.echo("a"), stall_after=0.25)])):
        await trio.sleep(0.5)
        mailbox.tell("sleep 0.45")
        await trio.sleep(0.3)
        assert registry.stalled() == ("a",)
        await trio.sleep(0.15)
        assert registry.stalled() == ()


async def test_second_root_is_refused_while_the_first_one_lives() -> None:
    bench = Bench()
    async with bench.running(bench.supervisor("root", [bench.echo("a")])):
        with pytest.raises(ValueError, match="root is the root already"):
            bench.registry.attach("another")
        with pytest.raises(ValueError, match="two actors are named 'root'"):
            await run_root(bench.supervisor("root", []))
    async with bench.running(bench.supervisor("another", [bench.echo("a")])):
        assert bench.registry.snapshot().name == "another"
        with pytest.raises(KeyError):
            bench.registry.find("root")
