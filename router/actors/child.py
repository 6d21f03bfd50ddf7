"""A supervisor's children: what is declared of them, and the bookkeeping about one while its supervisor runs."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from math import inf
from typing import Any

import trio

from router.actors.actor import Actor, Context, ExitStatus
from router.actors.health import State
from router.actors.mailbox import Inbox, Mailbox
from router.actors.registry import Handle
from router.errors import Fatal


class Restart(StrEnum):
    """Which endings a child is started again after. PERMANENT: every one. TRANSIENT: a crash. TEMPORARY: none."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


class GiveUp(StrEnum):
    """What becomes of a child that cannot be kept running.

    ESCALATE: a crash of the supervisor above, in the end.
    PARK: it stays failed until it is revived, and its siblings do not notice. Such a child's restarts are counted by
    themselves, so that it never uses up what its siblings have.
    """

    ESCALATE = "escalate"
    PARK = "park"


@dataclass(frozen=True)
class Child:
    """Declares one child of a supervisor.

    name: unique in the tree; a nested one is given whole (`default/production/partition`).
    factory: called for every incarnation; makes an actor that has not run yet.
    mailbox: what it takes messages from; kept by the caller, and outlives the incarnations.
    stop_budget: seconds that it has to return after it was asked to stop, and once more after it was cancelled, before
    its supervisor goes on without it. For a supervisor: enough for all that its own children may take.
    stall_after: seconds without progress, while there is work, after which it is restarted; None to leave it alone.
    """

    name: str
    factory: Callable[[], Actor[Any]]
    mailbox: Mailbox[Any] | None = None
    restart: Restart = Restart.PERMANENT
    stop_budget: float = 5.0
    stall_after: float | None = 10.0
    give_up: GiveUp = GiveUp.ESCALATE


class RestartsExceeded(Exception):
    """A supervisor gave up: `name` had to be restarted more often than its intensity allows. Its children have ended.

    last_error: what ended `name` last; None when it returned by itself.
    """

    def __init__(self, name: str, last_error: Exception | None) -> None:
        last = "it returned by itself" if last_error is None else f"{type(last_error).__name__}: {last_error}"
        super().__init__(f"{name} had to be restarted too often; the last time: {last}")
        self.name = name
        self.last_error = last_error
        self.__cause__ = last_error


class Occasion(Enum):
    """Why a child is started other than by a restart."""

    BOOT = auto()
    ADDED = auto()
    REVIVED = auto()


class Trial:
    """The first start of a child on some occasion: over when it has started, or when it failed to with `error`."""

    def __init__(self, occasion: Occasion) -> None:
        self.occasion = occasion
        self.over = trio.Event()
        self.error: Exception | None = None

    async def outcome(self) -> None:
        """Wait until it is over; raises what it failed with."""
        await self.over.wait()
        if self.error is not None:
            raise self.error


class Life:
    """One incarnation.

    verdict: set by whoever cancels it: STALLED, or STOPPED where it only makes room for an earlier sibling's new one.
    give_up_at: trio time at which nobody waits any longer for it to end, after it was cancelled.
    started_at: trio time of the start barrier; None before it.
    """

    def __init__(self, context: Context[Any], inbox: Inbox[Any] | None) -> None:
        self.context = context
        self.inbox = inbox
        self.scope = trio.CancelScope()
        self.ended = trio.Event()
        self.verdict: ExitStatus | None = None
        self.reason = ""
        self.give_up_at = inf
        self.overdue = False
        self.started_at: float | None = None

    def cancel(self, verdict: ExitStatus, reason: str, give_up_at: float) -> None:
        self.verdict = verdict
        self.reason = reason
        self.give_up_at = give_up_at
        self.scope.cancel(reason)

    def let_go(self) -> None:
        """Nobody waits for it any longer: what it has in hand is answered, and it can take no more. It still has to end
        before the next incarnation begins, because two of them would write over each other."""
        self.overdue = True
        if self.inbox is not None:
            self.inbox.release()

    def outcome(self, returned: bool, error: Exception | None) -> tuple[ExitStatus, Exception | None]:
        """How it ended, and the error to keep for it. `returned`: of itself or because it was asked to."""
        if isinstance(error, Fatal):
            return blame(error), error
        if self.verdict is ExitStatus.STALLED:
            return ExitStatus.STALLED, error or TimeoutError(self.reason)
        if self.verdict is not None:
            return self.verdict, error
        if error is None and returned and not self.context.has_started and not self.context.stopping.is_set():
            error = RuntimeError(f"{self.context.name} returned before it called started()")
        if error is not None:
            return blame(error), error
        finished = returned and not self.context.stopping.is_set()
        return (ExitStatus.FINISHED if finished else ExitStatus.STOPPED), None


class Slot:
    """One child of a running supervisor: its incarnation, if it has one, and what is to become of it.

    wanted: it shall run; False once it rests (parked, or ended without a restart being due) or is being removed.
    due: trio time before which it is not launched. recycle: an earlier sibling is started anew, so it has to be too.
    row: crashes in a row. restarts: times of its restarts, where they are counted by themselves.
    """

    def __init__(self, child: Child, handle: Handle, trial: Trial) -> None:
        self.child = child
        self.handle = handle
        self.trial: Trial | None = trial
        self.life: Life | None = None
        self.wanted = True
        self.removed: trio.Event | None = None
        self.due = -inf
        self.recycle = False
        self.row = 0
        self.launched = False
        self.restarts: tuple[float, ...] = ()

    @property
    def up(self) -> bool:
        """It is past its start barrier, and nobody has cancelled it."""
        life = self.life
        return life is not None and life.context.has_started and life.verdict is None

    def launch(self, on_started: Callable[["Slot"], None]) -> Life:
        """Begin an incarnation; `run` is to be spawned in the same turn."""
        child = self.child
        inbox = None if child.mailbox is None else child.mailbox.open()
        context = Context(child.name, inbox, lambda: on_started(self))
        life = self.life = Life(context, inbox)
        self.handle.begin(context)
        if self.launched and self.trial is None:
            self.handle.restarts += 1
        self.launched = True
        return life

    async def run(self, life: Life, on_ended: Callable[["Slot", Life, ExitStatus, Exception | None], None]) -> None:
        """The incarnation's task. Lets nothing out but what is no Exception: cancellation from above, an interrupt."""
        error: Exception | None = None
        returned = False
        try:
            with life.scope:
                await self.child.factory().run(life.context)
                returned = True
        except Exception as raised:  # noqa: BLE001 - whatever an actor raises is its supervisor's to judge, in on_ended
            error = leaf(raised)
        except BaseExceptionGroup as raised:
            failures, others = raised.split(Exception)
            error = None if failures is None else leaf(failures)
            if others is not None:
                raise others from None
        finally:
            if life.inbox is not None:
                life.inbox.release()
            self.life = None
            life.ended.set()
            on_ended(self, life, *life.outcome(returned, error))

    async def stop(self) -> None:
        """Orderly: shut its intake, ask it to stop, cancel it after its budget, let go of it after another."""
        if self.child.mailbox is not None:
            self.child.mailbox.close()
        life = self.life
        if life is None:
            return
        life.context.stopping.set()
        self.handle.enter(State.STOPPING)
        budget = self.child.stop_budget
        with trio.move_on_after(budget):
            await life.ended.wait()
            return
        life.scope.cancel(f"did not stop within {budget:g} s")
        with trio.move_on_after(budget):
            await life.ended.wait()
            return
        life.let_go()

    def conclude(self, error: Exception | None) -> None:
        """End its trial, if it is on one."""
        if self.trial is not None:
            trial, self.trial = self.trial, None
            trial.error = error
            trial.over.set()


def blame(error: Exception) -> ExitStatus:
    """What an incarnation that raised `error` ended as."""
    if isinstance(error, Fatal):
        return ExitStatus.FATAL
    return ExitStatus.GAVE_UP if isinstance(error, RestartsExceeded) else ExitStatus.CRASHED


def leaf(error: Exception) -> Exception:
    """The exception that a group stands for: a `Fatal` anywhere in it, or its single leaf; else the group itself."""
    if not isinstance(error, ExceptionGroup):
        return error
    leaves = list(_leaves(error))
    for found in leaves:
        if isinstance(found, Fatal):
            return found
    return leaves[0] if len(leaves) == 1 else error


def _leaves(group: "ExceptionGroup[Exception]") -> list[Exception]:
    leaves: list[Exception] = []
    for error in group.exceptions:
        leaves.extend(_leaves(error) if isinstance(error, ExceptionGroup) else [error])
    return leaves
