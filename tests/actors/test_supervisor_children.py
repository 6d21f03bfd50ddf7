"""Children that come, go, are parked and revived while the supervisor runs."""

from dataclasses import replace
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from router.actors.actor import Context
from router.actors.health import State
from router.actors.restart import Backoff, Intensity
from router.actors.supervisor import Child, GiveUp, Restart, RestartsExceeded, Root, Strategy, run_root
from router.errors import Busy, Interrupted
from tests.actors.doubles import Bench, Loaded, custom

ONCE = Intensity(1, 60.0)


def environment(bench: Bench, name: str) -> Child:
    """A subtree of one child that is parked when that child crashes twice."""
    return replace(bench.subtree(name, [bench.echo(f"{name}/partition")], intensity=ONCE), give_up=GiveUp.PARK)


async def park(bench: Bench, name: str) -> None:
    await bench.fell(f"{name}/partition")
    await bench.fell(f"{name}/partition")
    await wait_all_tasks_blocked()


async def test_subtree_that_gives_up_is_parked_and_its_neighbours_do_not_notice() -> None:
    bench = Bench()
    async with bench.running(bench.supervisor("root", [environment(bench, "e"), environment(bench, "f")])):
        await park(bench, "e")
        assert bench.state("e") is State.FAILED
        assert bench.state("e/partition") is State.FAILED
        assert bench.registry.find("e").restarts == 0
        assert await bench.ask("f/partition", "hello") == "hello"
        statistics = bench.supervisors["root"].statistics()
        assert (statistics.children, statistics.running, statistics.failed) == (2, 1, 1)


async def test_asks_below_a_parked_subtree_are_refused_and_queued_ones_interrupted(
    autojump_clock: MockClock,
) -> None:
    bench = Bench()
    outcomes: list[type[Exception]] = []
    async with bench.running(bench.supervisor("root", [environment(bench, "e")])), trio.open_nursery() as nursery:

        async def ask(message: str) -> None:
            with pytest.raises(Interrupted) as raised:
                await bench.ask("e/partition", message, timeout=1000)
            outcomes.append(type(raised.value))

        bench.mailboxes["e/partition"].tell("sleep 1")
        for message in ("crash", "crash", "queued", "queued"):
            nursery.start_soon(ask, message)
            await wait_all_tasks_blocked()
        await trio.sleep(2)
        assert outcomes == [Interrupted] * 4
        with pytest.raises(Busy, match="e/partition is out of service after a failure and takes no messages"):
            await bench.ask("e/partition", "anyone?")


async def test_parked_subtree_stays_so_until_it_is_revived(autojump_clock: MockClock) -> None:
    bench = Bench()
    async with bench.running(bench.supervisor("root", [environment(bench, "e")])):
        root = bench.supervisors["root"]
        await park(bench, "e")
        await trio.sleep(10_000)
        assert bench.state("e") is State.FAILED
        await root.revive("e")
        assert bench.state("e") is State.RUNNING
        assert await bench.ask("e/partition", "back") == "back"
        await park(bench, "e")
        assert bench.state("e") is State.FAILED


async def test_reviving_forgets_the_restarts() -> None:
    """As many crashes as before are needed to park it again."""
    bench = Bench()
    child = replace(bench.echo("a"), give_up=GiveUp.PARK)
    async with bench.running(bench.supervisor("root", [child], intensity=Intensity(2, 60.0))):
        for _ in range(2):
            states: list[State] = []
            for _ in range(3):
                await bench.fell("a")
                await wait_all_tasks_blocked()
                states.append(bench.state("a"))
            assert states == [State.RUNNING, State.RUNNING, State.FAILED]
            await bench.supervisors["root"].revive("a")
        assert await bench.ask("a", "back") == "back"


async def test_reviving_begins_the_backoff_anew(autojump_clock: MockClock) -> None:
    bench = Bench()
    child = replace(bench.echo("a"), give_up=GiveUp.PARK)
    supervisor = bench.supervisor(
        "root", [child], intensity=Intensity(3, 1000.0), backoff=Backoff(first=1.0), random=Loaded()
    )
    waits: list[float] = []

    async def crash_and_wait() -> None:
        await bench.fell("a")
        before = trio.current_time()
        await bench.ask("a", "back", timeout=100)
        waits.append(trio.current_time() - before)

    async with bench.running(supervisor):
        for _ in range(3):
            await crash_and_wait()
        await bench.fell("a")
        assert bench.state("a") is State.FAILED
        await supervisor.revive("a")
        await crash_and_wait()
    assert waits == [1, 2, 4, 1]


async def test_restarts_of_a_child_that_parks_are_not_held_against_its_siblings() -> None:
    bench = Bench()
    children = [replace(bench.echo("a"), give_up=GiveUp.PARK), bench.echo("b")]
    async with bench.running(bench.supervisor("root", children, intensity=ONCE)):
        await bench.fell("a")
        await bench.fell("b")
        await bench.fell("a")
        assert await bench.ask("b", "there") == "there"
        assert [bench.state(name) for name in "ab"] == [State.FAILED, State.RUNNING]


async def test_temporary_child_can_be_revived() -> None:
    bench = Bench()
    async with bench.running(bench.supervisor("root", [replace(bench.echo("a"), restart=Restart.TEMPORARY)])):
        await bench.fell("a", "return")
        assert bench.state("a") is State.STOPPED
        with pytest.raises(Busy, match="a is stopped"):
            await bench.ask("a", "anyone?")
        await bench.supervisors["root"].revive("a")
        assert await bench.ask("a", "back") == "back"


async def test_revival_that_fails_raises_the_error_and_leaves_it_failed() -> None:
    bench = Bench()

    def only_once(before: int) -> None:
        if before:
            raise OSError("still broken")

    child = replace(bench.echo("a", on_start=only_once), restart=Restart.TEMPORARY)
    async with bench.running(bench.supervisor("root", [child])):
        await bench.fell("a")
        for _ in range(2):
            with pytest.raises(OSError, match="still broken"):
                await bench.supervisors["root"].revive("a")
            assert bench.state("a") is State.FAILED


async def test_reviving_a_running_child_does_nothing() -> None:
    bench = Bench()
    async with bench.running(bench.supervisor("root", [bench.echo("a")])):
        await bench.supervisors["root"].revive("a")
        assert bench.journal == ["start a"]


async def test_child_is_added_last_and_has_started_when_that_returns(autojump_clock: MockClock) -> None:
    bench = Bench()

    async def slow(context: Context[Any]) -> None:
        await trio.sleep(7)
        context.started()
        await context.stopping.wait()

    async with bench.running(bench.supervisor("root", [bench.echo("a")])):
        before = trio.current_time()
        await bench.supervisors["root"].add(custom("b", slow))
        assert trio.current_time() == before + 7
        assert [child.name for child in bench.registry.snapshot().children] == ["a", "b"]
    assert bench.endings[:2] == [("b", "stopped"), ("a", "stopped")]


async def test_added_child_is_restarted_and_watched_like_any_other(autojump_clock: MockClock) -> None:
    bench = Bench()
    async with bench.running(bench.supervisor("root", [])):
        await bench.supervisors["root"].add(bench.echo("a"))
        await bench.fell("a")
        assert await bench.ask("a", "back") == "back"
        bench.mailboxes["a"].tell("hang")
        await trio.sleep(12)
        assert bench.endings == [("a", "crashed"), ("a", "stalled")]


async def test_added_child_that_fails_to_start_is_not_kept() -> None:
    bench = Bench()

    def refuse(_: int) -> None:
        raise OSError("no such disk")

    async with bench.running(bench.supervisor("root", [bench.echo("a")])):
        root = bench.supervisors["root"]
        with pytest.raises(OSError, match="no such disk"):
            await root.add(bench.echo("b", on_start=refuse))
        assert await bench.ask("a", "there") == "there"
        with pytest.raises(KeyError):
            bench.registry.find("b")
        await root.add(bench.echo("b"))
        assert await bench.ask("b", "there") == "there"


async def test_name_that_is_taken_cannot_be_added(autojump_clock: MockClock) -> None:
    """Not even while its owner is between two incarnations."""
    bench = Bench()
    inner = bench.subtree("inner", [bench.echo("b")])
    async with bench.running(bench.supervisor("root", [bench.echo("a"), inner])):
        root = bench.supervisors["root"]
        with pytest.raises(ValueError, match="a child named 'a' already"):
            await root.add(bench.echo("a"))
        with pytest.raises(ValueError, match="two actors are named 'b'"):
            await root.add(bench.echo("b"))
        bench.mailboxes["a"].tell("crash")
        await wait_all_tasks_blocked()
        with pytest.raises(ValueError, match="a child named 'a' already"):
            await root.add(bench.echo("a"))


async def test_removed_child_is_stopped_in_order_and_forgotten(autojump_clock: MockClock) -> None:
    bench = Bench()
    async with bench.running(bench.supervisor("root", [bench.echo("a"), bench.echo("b")])):
        root = bench.supervisors["root"]
        bench.mailboxes["a"].tell("sleep 3")
        await wait_all_tasks_blocked()
        before = trio.current_time()
        await root.remove("a")
        assert trio.current_time() == before + 3
        assert bench.endings == [("a", "stopped")]
        with pytest.raises(KeyError):
            bench.registry.find("a")
        with pytest.raises(Busy, match="a is removed"):
            await bench.ask("a", "anyone?")
        await root.add(bench.echo("a"))
        assert await bench.ask("a", "there") == "there"


async def test_removal_waits_for_a_task_that_ignores_its_cancellation(autojump_clock: MockClock) -> None:
    """Its caller may be about to delete what the actor works on."""
    bench = Bench()

    async def stubborn(context: Context[Any]) -> None:
        context.started()
        with trio.CancelScope(shield=True):
            await trio.sleep(100)

    async with bench.running(bench.supervisor("root", [custom("a", stubborn)])):
        before = trio.current_time()
        await bench.supervisors["root"].remove("a")
        assert trio.current_time() == before + 100


async def test_removing_a_child_in_backoff_or_parked_is_immediate(autojump_clock: MockClock) -> None:
    bench = Bench()
    async with bench.running(bench.supervisor("root", [environment(bench, "e"), bench.echo("b")])):
        await park(bench, "e")
        before = trio.current_time()
        await bench.supervisors["root"].remove("e")
        assert trio.current_time() == before
        with pytest.raises(KeyError):
            bench.registry.find("e/partition")
        with pytest.raises(KeyError):
            await bench.supervisors["root"].revive("e")


async def test_removal_of_a_child_that_is_being_added_ends_the_wait_for_it(autojump_clock: MockClock) -> None:
    bench = Bench()

    async def never(context: Context[Any]) -> None:
        await trio.sleep_forever()

    async with bench.running(bench.supervisor("root", [])), trio.open_nursery() as nursery:
        supervisor = bench.supervisors["root"]

        async def add() -> None:
            with pytest.raises(Interrupted, match="a was removed before it had started"):
                await supervisor.add(custom("a", never))

        nursery.start_soon(add)
        await wait_all_tasks_blocked()
        await supervisor.remove("a")


async def test_restart_of_an_earlier_sibling_does_not_cut_a_removal_short(autojump_clock: MockClock) -> None:
    bench = Bench()
    children = [bench.echo("a"), bench.echo("b")]
    async with bench.running(bench.supervisor("root", children, strategy=Strategy.REST_FOR_ONE)):
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                assert await bench.ask("b", "sleep 3") == "slept"

            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            nursery.start_soon(bench.supervisors["root"].remove, "b")
            await wait_all_tasks_blocked()
            await bench.fell("a")
        assert await bench.ask("a", "back") == "back"
        assert bench.endings == [("a", "crashed"), ("b", "stopped")]


async def test_removal_and_stop_at_once(autojump_clock: MockClock) -> None:
    bench = Bench()
    async with trio.open_nursery() as nursery:
        supervisor = bench.supervisor("root", [bench.echo("a"), bench.echo("b")])
        root: Root = await nursery.start(run_root, supervisor)
        bench.mailboxes["a"].tell("sleep 3")
        await wait_all_tasks_blocked()
        nursery.start_soon(supervisor.remove, "a")
        await wait_all_tasks_blocked()
        root.stop()
    assert sorted(bench.endings) == [("a", "stopped"), ("b", "stopped"), ("root", "stopped")]


async def test_supervisor_that_does_not_run_cannot_be_changed() -> None:
    bench = Bench()
    supervisor = bench.supervisor("root", [bench.echo("a")])
    for change in (supervisor.revive, supervisor.remove):
        with pytest.raises(RuntimeError, match="supervisor root is not running"):
            await change("a")
    with pytest.raises(RuntimeError, match="supervisor root is not running"):
        await supervisor.add(bench.echo("b"))


async def test_children_added_to_a_subtree_are_gone_from_the_tree_when_it_is_made_anew() -> None:
    """The factory does not know of them; nobody is left waiting for them either."""
    bench = Bench()
    children = [bench.echo("a"), bench.subtree("inner", [bench.echo("b")])]
    async with bench.running(bench.supervisor("root", children, strategy=Strategy.REST_FOR_ONE)):
        await bench.supervisors["inner"].add(bench.echo("c"))
        await bench.fell("a")
        assert await bench.ask("b", "back") == "back"
        assert [child.name for child in bench.registry.find("inner").children] == ["b"]
        with pytest.raises(Busy, match="c is stopped"):
            await bench.ask("c", "anyone?")


async def test_parent_that_gives_up_while_a_subtree_is_down_leaves_nobody_waiting(autojump_clock: MockClock) -> None:
    """The subtree's mailboxes kept their queues for a new incarnation that will not come."""
    bench = Bench()

    def only_once(before: int) -> None:
        if before:
            raise OSError("no second start")

    children = [bench.echo("a", on_start=only_once), bench.subtree("inner", [bench.echo("b")])]
    supervisor = bench.supervisor("root", children, strategy=Strategy.REST_FOR_ONE, intensity=ONCE)
    outcomes: list[type[Exception]] = []
    async with trio.open_nursery() as nursery:

        async def root(*, task_status: trio.TaskStatus[Root] = trio.TASK_STATUS_IGNORED) -> None:
            with pytest.raises(RestartsExceeded):
                await run_root(supervisor, task_status=task_status)

        async def ask(message: str) -> None:
            with pytest.raises(Interrupted) as raised:
                await bench.ask("b", message, timeout=1000)
            outcomes.append(type(raised.value))

        await nursery.start(root)
        for message in ("hang", "queued"):
            nursery.start_soon(ask, message)
            await wait_all_tasks_blocked()
        bench.mailboxes["a"].tell("crash")
    assert outcomes == [Interrupted, Interrupted]
