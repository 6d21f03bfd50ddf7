"""Stalls: no progress while there is work is a crash; idleness and named waits are not."""

from dataclasses import replace
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from router.actors.actor import Context
from router.actors.health import State
from router.actors.restart import Intensity
from router.actors.supervisor import RestartsExceeded, Strategy, run_root
from router.errors import Interrupted
from tests.actors.doubles import Bench, custom


async def test_actor_stuck_with_a_message_is_restarted_after_its_limit(autojump_clock: MockClock) -> None:
    bench = Bench()
    async with bench.running(bench.supervisor("root", [bench.echo("a")])):
        before = trio.current_time()
        with pytest.raises(Interrupted):
            await bench.ask("a", "hang", timeout=100)
        assert 10 < trio.current_time() - before <= 12
        assert await bench.ask("a", "back") == "back"
        health = bench.registry.find("a")
        assert health.restarts == 1
        assert health.last_error is not None
        assert health.last_error.message == "no progress for 10 s with 1 messages queued or in hand"
        assert bench.endings == [("a", "stalled")]


async def test_stuck_with_a_told_message_counts_too(autojump_clock: MockClock) -> None:
    bench = Bench()
    async with bench.running(bench.supervisor("root", [bench.echo("a")])):
        bench.mailboxes["a"].tell("hang")
        await trio.sleep(12)
        assert bench.endings == [("a", "stalled")]


async def test_idle_actor_is_left_alone_and_gets_its_full_time_when_work_comes(autojump_clock: MockClock) -> None:
    """Its latest progress may be an hour ago when the first message comes."""
    bench = Bench()

    async def slow_to_look(context: Context[str]) -> None:
        context.started()
        await trio.sleep(3600 + 9)
        async for envelope in context.inbox:
            envelope.reply("done")

    child = replace(custom("a", slow_to_look), mailbox=bench.echo("a").mailbox)
    async with bench.running(bench.supervisor("root", [child])):
        await trio.sleep(3600)
        assert await bench.ask("a", "hello", timeout=20) == "done"
        assert bench.endings == []


async def test_named_wait_within_its_limit_is_no_stall(autojump_clock: MockClock) -> None:
    bench = Bench()
    async with bench.running(bench.supervisor("root", [bench.echo("a")])), trio.open_nursery() as nursery:
        answers: list[object] = []

        async def ask() -> None:
            answers.append(await bench.ask("a", "wait 50 60", timeout=100))

        nursery.start_soon(ask)
        await trio.sleep(30)
        assert bench.registry.find("a").waiting_on == "the disk"
        assert bench.registry.stalled() == ()
        await trio.sleep(21)
        assert bench.registry.find("a").waiting_on is None
    assert answers == ["waited"]
    assert bench.endings[0] == ("a", "stopped")


async def test_named_wait_beyond_its_limit_is_a_stall(autojump_clock: MockClock) -> None:
    bench = Bench()
    async with bench.running(bench.supervisor("root", [bench.echo("a")])):
        before = trio.current_time()
        with pytest.raises(Interrupted):
            await bench.ask("a", "wait 50 20", timeout=100)
        assert 20 < trio.current_time() - before <= 22
        error = bench.registry.find("a").last_error
        assert error is not None
        assert error.message == "waited on the disk for more than the 20 s it allowed itself"


async def test_named_wait_without_work_may_take_any_time(autojump_clock: MockClock) -> None:
    """The limit counts from when there is work: an idle actor costs nobody anything."""
    bench = Bench()

    async def waiting(context: Context[str]) -> None:
        context.started()
        with context.waiting_on("the watermark", limit=20.0):
            await trio.sleep(3600 + 15)
        async for envelope in context.inbox:
            envelope.reply("done")

    child = replace(custom("a", waiting), mailbox=bench.echo("a").mailbox)
    async with bench.running(bench.supervisor("root", [child])):
        await trio.sleep(3600)
        assert await bench.ask("a", "hello", timeout=20) == "done"
        assert bench.endings == []


async def test_progress_keeps_a_long_task_alive(autojump_clock: MockClock) -> None:
    bench = Bench()

    async def laborious(context: Context[str]) -> None:
        context.started()
        async for envelope in context.inbox:
            for _ in range(20):
                await trio.sleep(5)
                context.progress()
            envelope.reply("done")

    child = replace(custom("a", laborious), mailbox=bench.echo("a").mailbox)
    async with bench.running(bench.supervisor("root", [child])):
        assert await bench.ask("a", "work", timeout=200) == "done"
        assert bench.endings == []


async def test_stall_limit_of_none_leaves_it_alone(autojump_clock: MockClock) -> None:
    bench = Bench()
    async with bench.running(bench.supervisor("root", [replace(bench.echo("a"), stall_after=None)])):
        assert await bench.ask("a", "sleep 1000", timeout=2000) == "slept"
        assert bench.endings == []


async def test_actor_without_mailbox_is_left_alone(autojump_clock: MockClock) -> None:
    bench = Bench()

    async def idle(context: Context[Any]) -> None:
        context.started()
        await context.stopping.wait()

    async with bench.running(bench.supervisor("root", [custom("a", idle)])):
        await trio.sleep(1000)
        assert bench.endings == []


async def test_slow_start_is_no_stall(autojump_clock: MockClock) -> None:
    """Recovery takes as long as it takes, with clients knocking all the while."""
    bench = Bench()

    async def recovering(context: Context[str]) -> None:
        await trio.sleep(300)
        context.started()
        await trio.sleep(8)  # a while longer, but less than its limit
        async for envelope in context.inbox:
            envelope.reply("ready")

    child = replace(custom("a", recovering), mailbox=bench.echo("a").mailbox)
    bench.mailboxes["a"].tell("knock")
    async with bench.running(bench.supervisor("root", [child])):
        assert await bench.ask("a", "there?", timeout=20) == "ready"
        assert bench.endings == []


async def test_stalls_count_as_restarts(autojump_clock: MockClock) -> None:
    bench = Bench()
    child = bench.echo("a")
    for _ in range(3):
        bench.mailboxes["a"].tell("hang")
    with pytest.raises(RestartsExceeded) as raised:
        await run_root(bench.supervisor("root", [child], intensity=Intensity(2, 60.0)))
    assert isinstance(raised.value.last_error, TimeoutError)


async def test_stalled_child_takes_those_after_it_along_where_the_strategy_says_so(autojump_clock: MockClock) -> None:
    bench = Bench()
    children = [bench.echo("a"), bench.echo("b")]
    async with bench.running(bench.supervisor("root", children, strategy=Strategy.REST_FOR_ONE)):
        bench.mailboxes["a"].tell("hang")
        await trio.sleep(12)
        assert bench.journal == ["start a", "start b", "end a", "end b", "start a", "start b"]


async def test_two_incarnations_never_run_at_once(autojump_clock: MockClock) -> None:
    """One that cannot be cancelled, in a thread say, is replaced when it has ended and not before; what it has in hand
    is answered when its budget is up, and until it ends it is listed as stalled."""
    bench = Bench()
    alive = 0
    starts: list[float] = []

    async def stubborn(context: Context[str]) -> None:
        nonlocal alive
        alive += 1
        assert alive == 1
        starts.append(trio.current_time())
        context.started()
        try:
            async for envelope in context.inbox:
                if envelope.message == "block":
                    with trio.CancelScope(shield=True):
                        await trio.sleep(100)
                envelope.reply("done")
        finally:
            alive -= 1

    child = replace(custom("a", stubborn), mailbox=bench.echo("a").mailbox, stop_budget=5.0)
    async with bench.running(bench.supervisor("root", [child])):
        before = trio.current_time()
        with pytest.raises(Interrupted):
            await bench.ask("a", "block", timeout=1000)
        assert 15 < trio.current_time() - before <= 17
        assert bench.registry.stalled() == ("a",)
        assert bench.state("a") is State.STOPPING
        assert await bench.ask("a", "next", timeout=1000) == "done"
        assert starts == [before, before + 100]
        assert bench.registry.stalled() == ()


async def test_sibling_that_cannot_be_cancelled_holds_up_a_restart_for_its_budget_only(
    autojump_clock: MockClock,
) -> None:
    bench = Bench()

    async def stubborn(context: Context[Any]) -> None:
        bench.journal.append("start b")
        context.started()
        with trio.CancelScope(shield=True):
            await trio.sleep(100)
        bench.journal.append("end b")
        await trio.sleep_forever()

    children = [bench.echo("a"), replace(custom("b", stubborn), stop_budget=3.0), bench.echo("c")]
    async with bench.running(bench.supervisor("root", children, strategy=Strategy.REST_FOR_ONE)):
        before = trio.current_time()
        await bench.fell("a")
        assert await bench.ask("a", "back") == "back"
        assert trio.current_time() == before + 3
        assert await bench.ask("c", "back", timeout=1000) == "back"
        assert trio.current_time() == before + 100
        await wait_all_tasks_blocked()
        assert bench.journal[3:] == ["end a", "end c", "start a", "end b", "start b", "start c"]
        children.clear()
