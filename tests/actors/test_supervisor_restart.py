"""Restarting: what survives, what is started anew, and when it is too much."""

from dataclasses import replace
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from router.actors.actor import Context
from router.actors.health import State
from router.actors.restart import Backoff, Intensity
from router.actors.supervisor import Restart, RestartsExceeded, Root, Strategy, run_root
from router.errors import Fatal, Interrupted
from tests.actors.doubles import Bench, Loaded, custom

REST = Strategy.REST_FOR_ONE


async def test_queued_messages_survive_a_crash() -> None:
    bench = Bench()
    async with bench.running(bench.supervisor("root", [bench.echo("a")])), trio.open_nursery() as nursery:
        outcomes: dict[str, object] = {}

        async def ask(message: str) -> None:
            try:
                outcomes[message] = await bench.ask("a", message)
            except Interrupted as error:
                outcomes[message] = error

        for message in ("crash", "first", "second"):
            nursery.start_soon(ask, message)
            await trio.lowlevel.checkpoint()
        await wait_all_tasks_blocked()
        assert isinstance(outcomes["crash"], Interrupted)
        assert str(outcomes["crash"]).startswith("a ended with the request in hand")
        assert {message: outcomes[message] for message in ("first", "second")} == {"first": "first", "second": "second"}
        assert bench.registry.find("a").restarts == 1


async def test_one_for_one_restarts_the_crashed_child_alone() -> None:
    bench = Bench()
    children = [bench.echo(name) for name in "abc"]
    async with bench.running(bench.supervisor("root", children)):
        await bench.fell("b")
        assert await bench.ask("b", "back") == "back"
        assert bench.journal == ["start a", "start b", "start c", "end b", "start b"]


async def test_rest_for_one_restarts_it_and_those_after_it_in_order() -> None:
    bench = Bench()
    children = [bench.echo(name) for name in "abcd"]
    async with bench.running(bench.supervisor("root", children, strategy=REST)):
        await bench.fell("b")
        assert await bench.ask("d", "back") == "back"
        assert bench.journal[4:] == ["end b", "end d", "end c", "start b", "start c", "start d"]
        assert [bench.registry.find(name).restarts for name in "abcd"] == [0, 1, 1, 1]


async def test_messages_queued_for_a_sibling_that_is_started_anew_survive() -> None:
    bench = Bench()
    async with bench.running(bench.supervisor("root", [bench.echo("a"), bench.echo("b")], strategy=REST)):
        bench.mailboxes["b"].tell("hang")
        await wait_all_tasks_blocked()
        bench.mailboxes["a"].tell("crash")
        assert await bench.ask("b", "queued") == "queued"


async def test_others_are_served_during_a_backoff(autojump_clock: MockClock) -> None:
    bench = Bench()
    supervisor = bench.supervisor(
        "root",
        [bench.echo("a"), bench.echo("b")],
        backoff=Backoff(first=8.0),
        random=Loaded(),
    )
    async with bench.running(supervisor):
        before = trio.current_time()
        await bench.fell("a")
        assert bench.state("a") is State.BACKOFF
        assert await bench.ask("b", "still here") == "still here"
        await bench.fell("b")
        assert [bench.state(name) for name in "ab"] == [State.BACKOFF, State.BACKOFF]
        assert await bench.ask("a", "back", timeout=20) == "back"
        assert trio.current_time() == before + 8


@pytest.mark.parametrize("strategy", list(Strategy))
async def test_second_crash_during_the_backoff_of_an_earlier_one(strategy: Strategy, autojump_clock: MockClock) -> None:
    """The later child waits for its own time and, where the strategy says so, for the earlier one's."""
    bench = Bench()
    supervisor = bench.supervisor(
        "root",
        [bench.echo(name) for name in "abc"],
        strategy=strategy,
        backoff=Backoff(first=8.0),
        random=Loaded(),
    )
    async with bench.running(supervisor):
        await bench.fell("c")
        await trio.sleep(6)
        await bench.fell("a")
        await trio.sleep(4)  # c's backoff has passed, a's has not
        served = {Strategy.ONE_FOR_ONE: [State.BACKOFF, State.RUNNING, State.RUNNING], REST: [State.BACKOFF] * 3}
        assert [bench.state(name) for name in "abc"] == served[strategy]
        await trio.sleep(5)
        assert [bench.state(name) for name in "abc"] == [State.RUNNING] * 3
        assert bench.registry.find("b").restarts == (strategy is REST)


async def test_backoff_grows_with_each_crash_in_a_row_and_starts_over_after_a_long_life(
    autojump_clock: MockClock,
) -> None:
    bench = Bench()
    supervisor = bench.supervisor(
        "root",
        [bench.echo("a")],
        intensity=Intensity(100, 60.0),
        backoff=Backoff(first=1.0, cap=4.0, reset_after=30.0),
        random=Loaded(),
    )
    waits: list[float] = []
    async with bench.running(supervisor):
        for rest in (0, 0, 0, 0, 31):
            await trio.sleep(rest)
            await bench.fell("a")
            before = trio.current_time()
            await bench.ask("a", "back", timeout=20)
            waits.append(trio.current_time() - before)
    assert waits == [1, 2, 4, 4, 1]


@pytest.mark.parametrize(
    ("restart", "message", "state"),
    [
        (Restart.PERMANENT, "return", State.RUNNING),
        (Restart.PERMANENT, "crash", State.RUNNING),
        (Restart.TRANSIENT, "return", State.STOPPED),
        (Restart.TRANSIENT, "crash", State.RUNNING),
        (Restart.TEMPORARY, "return", State.STOPPED),
        (Restart.TEMPORARY, "crash", State.FAILED),
    ],
)
async def test_restart_kind_decides_what_follows_an_ending(restart: Restart, message: str, state: State) -> None:
    bench = Bench()
    async with bench.running(bench.supervisor("root", [replace(bench.echo("a"), restart=restart), bench.echo("b")])):
        await bench.fell("a", message)
        await wait_all_tasks_blocked()
        assert bench.state("a") is state
        assert await bench.ask("b", "there") == "there"


async def test_temporary_child_is_not_brought_back_by_a_siblings_restart() -> None:
    bench = Bench()
    children = [bench.echo("a"), replace(bench.echo("b"), restart=Restart.TEMPORARY), bench.echo("c")]
    async with bench.running(bench.supervisor("root", children, strategy=REST)):
        await bench.fell("a")
        assert await bench.ask("c", "back") == "back"
        assert bench.state("b") is State.STOPPED


async def test_giving_up_stops_all_in_reverse_and_raises_a_plain_error(autojump_clock: MockClock) -> None:
    bench = Bench()
    children = [bench.echo(name) for name in "abc"]
    supervisor = bench.supervisor("root", children, intensity=Intensity(2, 60.0))
    for _ in range(3):
        bench.mailboxes["b"].tell("crash")
    with pytest.raises(RestartsExceeded, match="b had to be restarted too often; the last time: ValueError") as raised:
        await run_root(supervisor)
    assert (raised.value.name, str(raised.value.last_error)) == ("b", "b was told to crash")
    assert bench.journal[-2:] == ["end c", "end a"]
    assert [bench.state(name) for name in ("root", *"abc")] == [
        State.FAILED,
        State.STOPPED,
        State.FAILED,
        State.STOPPED,
    ]


async def test_crashes_that_are_far_enough_apart_go_on_for_ever(autojump_clock: MockClock) -> None:
    bench = Bench()
    async with bench.running(bench.supervisor("root", [bench.echo("a")], intensity=Intensity(1, 10.0))) as root:
        for _ in range(20):
            await bench.fell("a")
            await trio.sleep(10.1)
        assert isinstance(root, Root)
        assert bench.registry.find("a").restarts == 20
        assert bench.supervisors["root"].statistics().restarts == 0


async def test_escalation_goes_up_through_two_levels() -> None:
    """Three crashes make the inner one give up, three of those the outer one, three of those the root."""
    bench = Bench()
    twice = Intensity(2, 60.0)
    crashes = 0

    async def run(context: Context[Any]) -> None:
        nonlocal crashes
        context.started()
        crashes += 1
        raise ValueError("always")

    inner = bench.subtree("core/inner", [custom("core/inner/a", run)], intensity=twice)
    core = bench.subtree("core", [inner], intensity=twice)
    with pytest.raises(RestartsExceeded) as raised:
        await run_root(bench.supervisor("root", [core], intensity=twice))
    assert crashes == 27
    below = raised.value.last_error
    assert isinstance(below, RestartsExceeded)
    assert [raised.value.name, below.name] == ["core", "core/inner"]
    assert isinstance(below.last_error, RestartsExceeded)
    assert below.last_error.name == "core/inner/a"
    assert ("core/inner", "gave_up") in bench.endings


async def test_fatal_reaches_the_root_plain_and_nothing_is_restarted() -> None:
    bench = Bench()
    core = bench.subtree("core", [bench.subtree("core/inner", [bench.echo("a"), bench.echo("b")])])
    bench.mailboxes["a"].tell("fatal")
    with pytest.raises(Fatal, match="a was told to end it all"):
        await run_root(bench.supervisor("root", [core, bench.echo("c")]))
    assert bench.journal.count("start a") == 1
    assert bench.endings[0] == ("a", "fatal")
    assert {name: status for name, status in bench.endings if status == "fatal"}.keys() == {
        "a",
        "core/inner",
        "core",
        "root",
    }


async def test_fatal_during_the_stop_wins_over_what_the_stop_is_for() -> None:
    async def run(context: Context[Any]) -> None:
        context.started()
        await context.stopping.wait()
        raise Fatal("the last sync failed")

    bench = Bench()
    children = [custom("b", run), bench.echo("a")]
    bench.mailboxes["a"].tell("crash")
    with pytest.raises(Fatal, match="the last sync failed"):
        await run_root(bench.supervisor("root", children, intensity=Intensity(0, 60.0)))


async def test_error_beside_a_cancellation_from_above_is_kept_and_goes_no_further() -> None:
    async def run(context: Context[Any]) -> None:
        async def fail() -> None:
            try:
                await trio.sleep_forever()
            finally:
                raise KeyError("while cleaning up")

        context.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            nursery.start_soon(trio.sleep_forever)

    bench = Bench()
    async with trio.open_nursery() as nursery:
        await nursery.start(run_root, bench.supervisor("root", [bench.subtree("core", [custom("a", run)])]))
        nursery.cancel_scope.cancel()
    error = bench.registry.find("a").last_error
    assert error is not None
    assert error.type == "KeyError"
    assert bench.registry.find("core").last_error is None


async def test_interrupt_beside_an_error_gets_out() -> None:
    """What is no Exception is not a supervisor's to judge."""

    async def run(context: Context[Any]) -> None:
        context.started()
        raise BaseExceptionGroup("both", [ValueError("x"), KeyboardInterrupt()])

    with pytest.raises(BaseExceptionGroup) as raised:
        await run_root(Bench().supervisor("root", [custom("a", run)]))
    assert raised.group_contains(KeyboardInterrupt)
    assert not raised.group_contains(ValueError)


async def test_fatal_hidden_in_an_actors_own_nursery_is_found() -> None:
    async def run(context: Context[Any]) -> None:
        async def fail(error: Exception) -> None:
            raise error

        context.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail, Fatal("fsync failed"))
            nursery.start_soon(fail, ValueError("and more"))

    with pytest.raises(Fatal, match="fsync failed"):
        await run_root(Bench().supervisor("root", [custom("a", run)]))


async def test_fatal_raised_while_being_cancelled_still_gets_out() -> None:
    async def run(context: Context[Any]) -> None:
        context.started()
        try:
            await trio.sleep_forever()
        finally:
            raise Fatal("the last sync failed")

    bench = Bench()
    seen: list[Exception] = []
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:

            async def root() -> None:
                try:
                    await run_root(bench.supervisor("root", [bench.subtree("core", [custom("a", run)])]))
                except Fatal as error:
                    seen.append(error)

            nursery.start_soon(root)
            await wait_all_tasks_blocked()
            scope.cancel()
    assert [str(error) for error in seen] == ["the last sync failed"]


async def test_last_error_is_the_single_leaf_of_a_group() -> None:
    async def run(context: Context[Any]) -> None:
        context.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            raise KeyError("deep down")

    bench = Bench()
    child = replace(custom("a", run), restart=Restart.TEMPORARY)
    async with bench.running(bench.supervisor("root", [child])):
        await wait_all_tasks_blocked()
        error = bench.registry.find("a").last_error
        assert error is not None
        assert (error.type, error.message, error.at) == ("KeyError", "'deep down'", bench.clock.now())


async def test_recent_endings_are_the_last_eight() -> None:
    bench = Bench()
    async with bench.running(bench.supervisor("root", [bench.echo("a")])):
        for _ in range(10):
            bench.clock.advance(1000)
            await bench.fell("a")
        recent = bench.registry.find("a").recent
        assert len(recent) == 8
        assert {(ending.status.value, ending.message) for ending in recent} == {("crashed", "a was told to crash")}
        assert recent[-1].at - recent[0].at == 7000
