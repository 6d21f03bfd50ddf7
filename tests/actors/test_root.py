"""Running a root."""

import trio

from router.actors.health import State
from router.actors.supervisor import Root, run_root
from tests.actors.doubles import Bench


async def test_root_is_reported_when_all_have_started_and_stops_when_asked() -> None:
    bench = Bench()
    async with trio.open_nursery() as nursery:
        root: Root = await nursery.start(run_root, bench.supervisor("root", [bench.echo("a")]))
        assert await bench.ask("a", "hello") == "hello"
        assert bench.state("root") is State.RUNNING
        root.stop()
        root.stop()
    assert bench.state("root") is State.STOPPED
    assert bench.endings == [("a", "stopped"), ("root", "stopped")]


async def test_empty_tree_runs_too() -> None:
    async with trio.open_nursery() as nursery:
        root: Root = await nursery.start(run_root, Bench().supervisor("root", []))
        root.stop()


async def test_nobody_need_take_the_handle() -> None:
    bench = Bench()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_root, bench.supervisor("root", [bench.echo("a")]))
        assert await bench.ask("a", "hello") == "hello"
        nursery.cancel_scope.cancel()
    assert bench.state("root") is State.STOPPED
