"""Starting: order, the barrier, and what a failed start does to the supervisor."""

from dataclasses import replace
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from router.actors.actor import Context
from router.actors.health import State
from router.actors.supervisor import Child, GiveUp, RestartsExceeded, Root, Strategy, Supervisor, run_root
from tests.actors.doubles import Bench, Echo, alone, custom

BOTH = pytest.mark.parametrize("strategy", list(Strategy))


def slow(bench: Bench, name: str, seconds: float) -> Child:
    """A child that takes its time before its barrier."""

    async def run(context: Context[Any]) -> None:
        bench.journal.append(f"begin {name}")
        await trio.sleep(seconds)
        bench.journal.append(f"start {name}")
        context.started()
        await context.stopping.wait()
        bench.journal.append(f"end {name}")

    return custom(name, run)


@BOTH
async def test_each_child_starts_only_when_the_one_before_has_started(
    strategy: Strategy, autojump_clock: MockClock
) -> None:
    bench = Bench()
    children = [slow(bench, "a", 3), slow(bench, "b", 1), slow(bench, "c", 2)]
    before = trio.current_time()
    async with bench.running(bench.supervisor("root", children, strategy=strategy)):
        assert trio.current_time() == before + 6
        assert bench.journal == ["begin a", "start a", "begin b", "start b", "begin c", "start c"]
        assert bench.state("root") is State.RUNNING


async def test_state_is_starting_until_the_barrier(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    bench = Bench()
    nursery.start_soon(run_root, bench.supervisor("root", [slow(bench, "a", 3), slow(bench, "b", 3)]))
    await trio.sleep(1)
    assert [bench.state(name) for name in ("root", "a", "b")] == [State.STARTING, State.STARTING, State.STOPPED]
    await trio.sleep(3)
    assert [bench.state(name) for name in ("root", "a", "b")] == [State.STARTING, State.RUNNING, State.STARTING]


async def test_messages_sent_before_the_start_wait_for_it() -> None:
    bench = Bench()
    child = bench.echo("a")
    bench.mailboxes["a"].tell("early")
    async with bench.running(bench.supervisor("root", [child])):
        assert await bench.ask("a", "later") == "later"
    assert bench.registry.find("a").processed == 2


@BOTH
async def test_child_that_fails_before_its_barrier_fails_the_supervisor(strategy: Strategy) -> None:
    """What has been started is stopped in reverse first; what would come later is never started."""
    bench = Bench()

    def refuse(_: int) -> None:
        raise OSError("port taken")

    children = [bench.echo("a"), bench.echo("b"), bench.echo("c", on_start=refuse), bench.echo("d")]
    with pytest.raises(OSError, match="port taken") as raised:
        await run_root(bench.supervisor("root", children, strategy=strategy))
    assert raised.value.__notes__ == ["c could not be started"]
    assert bench.journal == ["start a", "start b", "end b", "end a"]
    assert [bench.state(name) for name in "abcd"] == [State.STOPPED, State.STOPPED, State.FAILED, State.STOPPED]


async def test_factory_that_raises_counts_as_a_failed_start() -> None:
    bench = Bench()

    def factory() -> Echo:
        raise LookupError("nothing to make it of")

    with pytest.raises(LookupError, match="nothing to make it of"):
        await run_root(bench.supervisor("root", [Child("a", factory)]))


async def test_returning_without_having_started_is_a_failed_start() -> None:
    async def run(context: Context[Any]) -> None:
        return

    with pytest.raises(RuntimeError, match=r"a returned before it called started\(\)"):
        await run_root(Bench().supervisor("root", [custom("a", run)]))


async def test_crash_of_a_started_child_while_another_starts_is_an_ordinary_restart(autojump_clock: MockClock) -> None:
    bench = Bench()
    children = [bench.echo("a"), slow(bench, "b", 5)]
    async with trio.open_nursery() as nursery:

        async def crash() -> None:
            await trio.sleep(1)
            await bench.fell("a")

        nursery.start_soon(crash)
        root: Root = await nursery.start(run_root, bench.supervisor("root", children))
        assert bench.journal == ["start a", "begin b", "end a", "start a", "start b"]
        root.stop()


async def test_rest_for_one_begins_a_start_anew_when_an_earlier_child_crashes_meanwhile(
    autojump_clock: MockClock,
) -> None:
    bench = Bench()
    children = [bench.echo("a"), slow(bench, "b", 5), bench.echo("c")]
    async with trio.open_nursery() as nursery:

        async def crash() -> None:
            await trio.sleep(1)
            await bench.fell("a")

        nursery.start_soon(crash)
        supervisor = bench.supervisor("root", children, strategy=Strategy.REST_FOR_ONE)
        root: Root = await nursery.start(run_root, supervisor)
        assert bench.journal == ["start a", "begin b", "end a", "start a", "begin b", "start b", "start c"]
        root.stop()


async def test_nested_supervisor_has_started_when_all_below_it_have(autojump_clock: MockClock) -> None:
    bench = Bench()
    inner = bench.subtree("root/inner", [slow(bench, "a", 1), slow(bench, "b", 1)])
    async with bench.running(bench.supervisor("root", [inner, slow(bench, "c", 1)])):
        assert bench.journal == ["begin a", "start a", "begin b", "start b", "begin c", "start c"]
        assert [child.name for child in bench.registry.snapshot().children] == ["root/inner", "c"]
        assert [child.name for child in bench.registry.find("root/inner").children] == ["a", "b"]


async def test_subtree_that_gives_up_while_it_starts_is_parked_and_the_rest_starts(autojump_clock: MockClock) -> None:
    """An environment that cannot be brought up does not keep the router from serving the others."""
    bench = Bench()

    async def run(context: Context[Any]) -> None:
        raise RestartsExceeded("partition", ValueError("damaged"))

    child = replace(custom("e", run), give_up=GiveUp.PARK)
    async with bench.running(bench.supervisor("root", [child, bench.echo("f")])):
        assert bench.state("e") is State.FAILED
        assert await bench.ask("f", "hello") == "hello"


async def test_stop_asked_during_the_start_ends_it_in_order(autojump_clock: MockClock) -> None:
    bench = Bench()
    inner = bench.subtree("inner", [bench.echo("a"), slow(bench, "never", 1e6)])
    async with trio.open_nursery() as nursery:
        supervisor = bench.supervisor("root", [])
        root: Root = await nursery.start(run_root, supervisor)
        added: list[BaseException] = []

        async def add() -> None:
            try:
                await supervisor.add(inner)
            except Exception as error:  # noqa: BLE001 - the outcome is what the test looks at
                added.append(error)

        nursery.start_soon(add)
        await wait_all_tasks_blocked()
        root.stop()
    assert [type(error).__name__ for error in added] == ["Interrupted"]
    assert bench.journal == ["start a", "begin never", "end a"]


def test_two_children_of_one_name_are_refused() -> None:
    bench = Bench()
    with pytest.raises(ValueError, match="two children of one name"):
        bench.supervisor("root", [bench.echo("a"), bench.echo("a")])


async def test_two_actors_of_one_name_anywhere_are_refused() -> None:
    bench = Bench()
    inner = bench.subtree("inner", [bench.echo("a")])
    with pytest.raises(ValueError, match="two actors are named 'a'"):
        await run_root(bench.supervisor("root", [bench.echo("a"), inner]))


async def test_supervisor_object_is_run_once() -> None:
    bench = Bench()
    supervisor = bench.supervisor("root", [])
    async with bench.running(supervisor):
        pass
    with pytest.raises(RuntimeError, match=r"its Child\.factory must make a new one"):
        await run_root(supervisor)


async def test_task_group_around_a_root_sees_a_plain_error() -> None:
    """What a nursery wraps once is the error itself, and not a group of groups."""

    async def run(context: Context[Any]) -> None:
        raise OSError("no")

    bench = Bench()
    inner: Supervisor = bench.supervisor("inner", [custom("a", run)])
    outer = bench.supervisor("root", [Child("inner", lambda: inner)])
    with pytest.raises(ExceptionGroup) as raised:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_root, outer)
    assert isinstance(alone(raised.value), OSError)
