"""How endings are judged."""

import pytest
import trio

from router.actors.actor import Context, ExitStatus
from router.actors.child import Life, RestartsExceeded, leaf
from router.errors import Fatal


def life(*, started: bool = True, stopping: bool = False) -> Life:
    context: Context[int] = Context("a")
    if started:
        context.started()
    if stopping:
        context.stopping.set()
    return Life(context, None)


async def test_returning_by_itself_is_finishing_and_when_asked_it_is_stopping() -> None:
    assert life().outcome(True, None) == (ExitStatus.FINISHED, None)
    assert life(stopping=True).outcome(True, None) == (ExitStatus.STOPPED, None)


async def test_cancellation_from_above_is_stopping() -> None:
    assert life().outcome(False, None) == (ExitStatus.STOPPED, None)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("x"), ExitStatus.CRASHED),
        (RestartsExceeded("b", None), ExitStatus.GAVE_UP),
        (Fatal("x"), ExitStatus.FATAL),
    ],
)
async def test_raising_is_judged_by_the_error(error: Exception, status: ExitStatus) -> None:
    assert life().outcome(False, error) == (status, error)
    assert life(stopping=True).outcome(False, error) == (status, error)


async def test_returning_before_the_start_barrier_is_a_crash() -> None:
    status, error = life(started=False).outcome(True, None)
    assert status is ExitStatus.CRASHED
    assert str(error) == "a returned before it called started()"
    assert life(started=False, stopping=True).outcome(True, None) == (ExitStatus.STOPPED, None)


@pytest.mark.parametrize("verdict", [ExitStatus.STALLED, ExitStatus.STOPPED])
async def test_verdict_of_who_cancelled_it_wins_over_all_but_fatal(verdict: ExitStatus) -> None:
    stopped = life()
    stopped.cancel(verdict, "it took too long", trio.current_time())
    raised = ValueError("while ending")
    assert stopped.outcome(False, raised) == (verdict, raised)
    assert stopped.outcome(False, Fatal("x"))[0] is ExitStatus.FATAL


async def test_stall_without_an_error_is_given_one() -> None:
    stalled = life()
    stalled.cancel(ExitStatus.STALLED, "no progress for 10 s", trio.current_time())
    status, error = stalled.outcome(False, None)
    assert status is ExitStatus.STALLED
    assert isinstance(error, TimeoutError)
    assert str(error) == "no progress for 10 s"


def test_group_with_one_leaf_is_that_leaf() -> None:
    error = ValueError("x")
    assert leaf(error) is error
    assert leaf(ExceptionGroup("a", [ExceptionGroup("b", [error])])) is error


def test_group_with_several_leaves_stays_a_group() -> None:
    group = ExceptionGroup("a", [ValueError("x"), KeyError("y")])
    assert leaf(group) is group


def test_fatal_is_found_in_any_group() -> None:
    fatal = Fatal("x")
    assert leaf(ExceptionGroup("a", [ValueError("x"), ExceptionGroup("b", [KeyError("y"), fatal])])) is fatal


def test_giving_up_names_the_child_and_its_last_error() -> None:
    error = ValueError("disk on fire")
    exceeded = RestartsExceeded("core/committer", error)
    assert str(exceeded) == "core/committer had to be restarted too often; the last time: ValueError: disk on fire"
    assert (exceeded.name, exceeded.last_error, exceeded.__cause__) == ("core/committer", error, error)
    assert "it returned by itself" in str(RestartsExceeded("a", None))
