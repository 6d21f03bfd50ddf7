"""Stopping: reverse order, budgets, and that nobody is left without an answer."""

from dataclasses import replace
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from router.actors.actor import Context
from router.actors.health import State
from router.actors.mailbox import Mailbox
from router.actors.restart import Backoff
from router.actors.supervisor import Child, Root, run_root
from router.errors import Busy, Fatal, Interrupted
from tests.actors.doubles import Bench, custom


def leaving(bench: Bench, name: str, seconds: float) -> Child:
    """A child that takes its time to leave once it has been asked to."""

    async def run(context: Context[Any]) -> None:
        context.started()
        await context.stopping.wait()
        bench.journal.append(f"asked {name}")
        await trio.sleep(seconds)
        bench.journal.append(f"left {name}")

    return custom(name, run)


async def test_children_stop_in_reverse_each_after_the_one_before_has_ended(autojump_clock: MockClock) -> None:
    bench = Bench()
    async with bench.running(bench.supervisor("root", [leaving(bench, name, 2) for name in "abc"])):
        pass
    assert bench.journal == ["asked c", "left c", "asked b", "left b", "asked a", "left a"]
    assert [bench.state(name) for name in ("root", *"abc")] == [State.STOPPED] * 4
    assert bench.endings == [("c", "stopped"), ("b", "stopped"), ("a", "stopped"), ("root", "stopped")]


async def test_child_that_ignores_the_stop_is_cancelled_at_its_budget(autojump_clock: MockClock) -> None:
    bench = Bench()
    children = [leaving(bench, "a", 1), replace(leaving(bench, "b", 1e6), stop_budget=3.0), leaving(bench, "c", 1)]
    async with bench.running(bench.supervisor("root", children)):
        before = trio.current_time()
    assert trio.current_time() == before + 1 + 3 + 1
    assert bench.journal == ["asked c", "left c", "asked b", "asked a", "left a"]


async def test_child_that_ignores_its_cancellation_too_holds_up_the_others_for_one_more_budget_only(
    autojump_clock: MockClock,
) -> None:
    bench = Bench()

    async def run(context: Context[Any]) -> None:
        context.started()
        with trio.CancelScope(shield=True):
            await trio.sleep(100)
        bench.journal.append("left b")

    children = [leaving(bench, "a", 1), replace(custom("b", run), stop_budget=3.0)]
    async with bench.running(bench.supervisor("root", children)) as root:
        before = trio.current_time()
        bench.journal.append("stop")
        root.stop()
        await trio.sleep(3 + 3 + 1.5)
        bench.journal.append("watched")
    assert trio.current_time() == before + 100
    assert bench.journal == ["stop", "asked a", "left a", "watched", "left b"]


async def test_orderly_stop_drains_the_inbox_and_refuses_new_messages(autojump_clock: MockClock) -> None:
    bench = Bench()
    answers: list[object] = []
    async with trio.open_nursery() as nursery:
        root: Root = await nursery.start(run_root, bench.supervisor("root", [bench.echo("a")]))

        async def ask(message: str) -> None:
            answers.append(await bench.ask("a", message))

        nursery.start_soon(ask, "sleep 1")
        await wait_all_tasks_blocked()
        nursery.start_soon(ask, "queued")
        await wait_all_tasks_blocked()
        root.stop()
        await wait_all_tasks_blocked()
        assert bench.state("a") is State.STOPPING
        with pytest.raises(Busy, match="a is stopping"):
            await bench.ask("a", "too late")
    assert answers == ["slept", "queued"]
    with pytest.raises(Busy, match="a is stopped"):
        await bench.ask("a", "far too late")


async def test_what_the_budget_leaves_queued_is_answered_interrupted(autojump_clock: MockClock) -> None:
    bench = Bench()
    outcomes: list[str] = []
    async with bench.running(bench.supervisor("root", [bench.echo("a")])) as root, trio.open_nursery() as nursery:

        async def ask(message: str) -> None:
            with pytest.raises(Interrupted) as raised:
                await bench.ask("a", message, timeout=1000)
            outcomes.append(str(raised.value))

        nursery.start_soon(ask, "hang")
        await wait_all_tasks_blocked()
        nursery.start_soon(ask, "queued")
        await wait_all_tasks_blocked()
        root.stop()
    assert sorted(outcome[:24] for outcome in outcomes) == ["a ended with the request", "a stopped before it came"]


async def test_drained_work_reaches_the_siblings_that_stop_later(autojump_clock: MockClock) -> None:
    """The committer, started first, answers what the partition forwards while it drains."""
    bench = Bench()
    committer = bench.echo("committer")
    intake: Mailbox[str] = Mailbox("partition", 16)

    async def partition(context: Context[str]) -> None:
        context.started()
        async for envelope in context.inbox:
            await trio.sleep(1)
            envelope.forward(bench.mailboxes["committer"], envelope.message)

    children = [committer, replace(custom("partition", partition), mailbox=intake)]
    answers: list[object] = []
    async with trio.open_nursery() as nursery:
        root: Root = await nursery.start(run_root, bench.supervisor("root", children))

        async def ask(message: str) -> None:
            answers.append(await intake.ask(message, timeout=10))

        for message in ("one", "two", "three"):
            nursery.start_soon(ask, message)
        await wait_all_tasks_blocked()
        root.stop()
    assert sorted(map(str, answers)) == ["one", "three", "two"]


async def test_crash_during_the_stop_is_not_restarted_and_its_queue_is_answered() -> None:
    bench = Bench()
    async with trio.open_nursery() as nursery:
        root: Root = await nursery.start(run_root, bench.supervisor("root", [bench.echo("a"), bench.echo("b")]))

        async def ask(message: str) -> None:
            with pytest.raises(Interrupted):
                await bench.ask("b", message)

        nursery.start_soon(ask, "crash")
        await trio.lowlevel.checkpoint()
        bench.mailboxes["b"].tell("crash")
        root.stop()
    assert bench.journal == ["start a", "start b", "end b", "end a"]


async def test_child_in_backoff_is_sealed_before_the_others_drain(autojump_clock: MockClock) -> None:
    """Nobody waits for an answer that cannot come."""
    bench = Bench()
    outcomes: list[str] = []

    async def last_words(context: Context[Any]) -> None:
        context.started()
        await context.stopping.wait()
        with pytest.raises(Busy) as raised:
            await bench.ask("a", "anyone?", timeout=1000)
        outcomes.append(str(raised.value))

    children = [bench.echo("a"), custom("b", last_words)]
    async with bench.running(bench.supervisor("root", children, backoff=Backoff(first=1000.0, cap=1000.0))):
        await bench.fell("a")
        assert bench.state("a") is State.BACKOFF
        before = trio.current_time()
    assert trio.current_time() == before
    assert outcomes == ["a is stopped and takes no messages; try again later"]


async def test_fatal_during_the_stop_is_raised_when_all_have_stopped(autojump_clock: MockClock) -> None:
    bench = Bench()

    async def run(context: Context[Any]) -> None:
        context.started()
        await context.stopping.wait()
        raise Fatal("the last sync failed")

    async with trio.open_nursery() as nursery:
        root_handle: list[Root] = []

        async def hosted(*, task_status: trio.TaskStatus[Root] = trio.TASK_STATUS_IGNORED) -> None:
            with pytest.raises(Fatal, match="the last sync failed"):
                await run_root(
                    bench.supervisor("root", [leaving(bench, "a", 1), custom("b", run)]), task_status=task_status
                )

        root_handle.append(await nursery.start(hosted))
        root_handle[0].stop()
    assert bench.journal == ["asked a", "left a"]


async def test_nested_supervisor_stops_its_children_in_reverse_too(autojump_clock: MockClock) -> None:
    bench = Bench()
    inner = replace(bench.subtree("inner", [leaving(bench, "a", 1), leaving(bench, "b", 1)]), stop_budget=10.0)
    async with bench.running(bench.supervisor("root", [leaving(bench, "first", 1), inner])):
        pass
    assert [line for line in bench.journal if line.startswith("left")] == ["left b", "left a", "left first"]


async def test_everything_is_answered_when_the_root_itself_is_cancelled() -> None:
    bench = Bench()
    outcomes: list[type[Exception]] = []
    async with trio.open_nursery() as outer:

        async def ask(message: str) -> None:
            try:
                await bench.ask("a", message)
            except (Interrupted, Busy) as error:
                outcomes.append(type(error))

        async with trio.open_nursery() as nursery:
            await nursery.start(run_root, bench.supervisor("root", [bench.subtree("inner", [bench.echo("a")])]))
            outer.start_soon(ask, "hang")
            await wait_all_tasks_blocked()
            outer.start_soon(ask, "queued")
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        await wait_all_tasks_blocked()
        outer.start_soon(ask, "afterwards")
    assert outcomes == [Interrupted, Interrupted, Busy]
    assert bench.state("a") is State.STOPPED
