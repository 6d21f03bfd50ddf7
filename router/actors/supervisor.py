"""Keeps a set of actors running: starts them in order, starts anew what crashes or stalls, stops them in reverse.

One task decides. Whatever happens (an ending, a start, a request, a moment that is due) changes the slots and wakes
it, and it then does what the slots as they are now call for. So a second crash during the backoff of a first, or a
removal in the middle of a restart, is no case of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from random import Random
from typing import Any, Final

import trio

from router.actors.actor import Context, ExitStatus
from router.actors.child import Child, GiveUp, Life, Occasion, Restart, RestartsExceeded, Slot, Trial
from router.actors.health import State
from router.actors.registry import Handle, Registry
from router.actors.restart import Backoff, Intensity
from router.actors.root import Root, run_root
from router.errors import Fatal, Interrupted

__all__ = [
    "Child",
    "GiveUp",
    "Restart",
    "RestartsExceeded",
    "Root",
    "Strategy",
    "Supervisor",
    "SupervisorStatistics",
    "run_root",
]

CHECK_EVERY: Final = 1.0  # seconds between looks for stalled children


class Strategy(StrEnum):
    """What is started anew when a child is: it alone, or it and all that were declared after it."""

    ONE_FOR_ONE = "one_for_one"
    REST_FOR_ONE = "rest_for_one"


@dataclass(frozen=True, slots=True)
class SupervisorStatistics:
    """children: declared and added; running: past their start barrier; failed: parked or crashed for good; restarts:
    those of the current period that count towards giving up."""

    children: int
    running: int
    failed: int
    restarts: int


class Supervisor:
    """Actor without a mailbox. An object is one incarnation, as of any actor: `Child.factory` makes a new one each.

    name: as in the `Child` that declares it. strategy, intensity, backoff: for all of its children. registry: where the
    tree is known; the same one for the whole tree. random: for the jitter.

    Children that were added while it ran are lost with the incarnation, unless the factory knows of them.

    Raises:
        ValueError: two children have the same name.
    """

    def __init__(
        self,
        name: str,
        strategy: Strategy,
        children: Sequence[Child],
        *,
        registry: Registry,
        intensity: Intensity = Intensity(),  # noqa: B008 - frozen
        backoff: Backoff = Backoff(),  # noqa: B008 - frozen
        random: Random | None = None,
    ) -> None:
        self.name = name
        self.registry = registry
        self._strategy = strategy
        self._declared = tuple(children)
        self._intensity = intensity
        self._backoff = backoff
        self._random = Random() if random is None else random  # noqa: S311 - jitter, no secret
        self._slots: list[Slot] = []
        self._handle: Handle | None = None
        self._nursery: trio.Nursery | None = None
        self._news = trio.Event()
        self._closing = False
        self._failure: Exception | None = None
        self._restarts: tuple[float, ...] = ()
        self._next_check = -inf
        names = [child.name for child in self._declared]
        if len(set(names)) < len(names):
            raise ValueError(f"supervisor {name} has two children of one name in {names}: give one of them another")

    async def run(self, context: Context[Any]) -> None:
        """Start the children in order, then keep them running until `context.stopping` is set.

        Raises:
            RestartsExceeded: more restarts than the intensity allows; all children have been stopped.
            Fatal: a child raised it; all children have been stopped.
            Exception: what a child failed with that did not get past its first start barrier.
        """
        self._open(self.registry.handle(context.name))
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._await_stop, context.stopping)
                await self._supervise(context)
                await self._stop_all()
                nursery.cancel_scope.cancel("every child has been stopped")
        except BaseException:
            if isinstance(self._failure, Fatal):
                raise self._failure from None
            raise
        finally:
            self._wind_up()
        if self._failure is not None:
            raise self._failure

    async def add(self, child: Child) -> None:
        """Declare one more child, after all others, and wait until it has started. Cancelling the wait leaves it added.

        Raises:
            ValueError: the name is taken.
            RuntimeError: the supervisor does not run.
            Interrupted: the supervisor stopped, or the child was removed, before it had started.
            Exception: what the child failed with before it had started; it is not kept then.
        """
        self._running()
        trial = Trial(Occasion.ADDED)
        self._admit(child, trial)
        self._wake()
        await trial.outcome()

    async def remove(self, name: str) -> None:
        """Stop a child in order and forget it. When this returns its task has ended, however long that took; cancelling
        the wait does not stop the removal.

        Raises:
            KeyError: there is no such child.
            RuntimeError: the supervisor does not run.
            Interrupted: the supervisor was ended before the child had.
        """
        nursery = self._running()
        slot = self._find(name)
        slot.wanted = False
        slot.removed = trio.Event()
        slot.conclude(Interrupted(f"{name} was removed before it had started"))
        nursery.start_soon(self._retire, slot, slot.removed, name=f"remove {name}")
        await slot.removed.wait()
        if slot in self._slots:
            raise Interrupted(f"{self.name} ended while {name} was being removed")

    async def revive(self, name: str) -> None:
        """Start a child again that is parked, or ended without a restart being due, its restarts forgotten, and wait
        until it has started. Does nothing for any other child.

        Raises:
            KeyError: there is no such child.
            RuntimeError: the supervisor does not run.
            Interrupted: the supervisor stopped, or the child was removed, before it had started.
            Exception: what the child failed with before it had started; it stays failed then.
        """
        self._running()
        slot = self._find(name)
        if slot.wanted:
            return
        slot.restarts = ()
        slot.row = 0
        slot.wanted = True
        trial = slot.trial = Trial(Occasion.REVIVED)
        self._wake()
        await trial.outcome()

    async def restart(self, name: str) -> None:
        """`revive` a child, also one that runs, whose incarnation is cancelled first, or that waits for a restart."""
        self._running()
        slot = self._find(name)
        if not slot.wanted:
            await self.revive(name)
            return
        trial = slot.trial = slot.trial or Trial(Occasion.REVIVED)
        now = slot.due = trio.current_time()
        if slot.life is not None and slot.life.verdict is None:
            slot.life.cancel(ExitStatus.STOPPED, "an operator asked for it", now + slot.child.stop_budget)
            slot.handle.enter(State.STOPPING)
            self._recycle_after(slot)
        self._wake()
        await trial.outcome()

    def statistics(self) -> SupervisorStatistics:
        states = [slot.handle.state for slot in self._slots]
        now = trio.current_time()
        return SupervisorStatistics(
            children=len(states),
            running=states.count(State.RUNNING),
            failed=states.count(State.FAILED),
            restarts=len(self._intensity.recent(self._restarts, now)),
        )

    # The deciding task

    async def _supervise(self, context: Context[Any]) -> None:
        while True:
            if context.stopping.is_set():
                self._closing = True
            if self._closing:
                return
            pause = self._step(trio.current_time())
            if not any(slot.trial is not None and slot.trial.occasion is Occasion.BOOT for slot in self._slots):
                context.started()
            with trio.move_on_after(pause):
                await self._news.wait()
            self._news = trio.Event()

    def _step(self, now: float) -> float:
        """Do what is called for at `now`; returns the seconds until something will be due."""
        for slot in self._slots:
            if slot.life is not None and not slot.life.overdue and slot.life.give_up_at <= now:
                slot.life.let_go()
        self._check_stalls(now)
        recycling = self._recycle(now)
        self._launch(now, hold=recycling)
        moments = [self._next_check]
        for slot in self._slots:
            if slot.life is None and slot.wanted and slot.due > now:
                moments.append(slot.due)
            elif slot.life is not None and not slot.life.overdue:
                moments.append(slot.life.give_up_at)
        return max(0.0, min(moments) - now)

    def _check_stalls(self, now: float) -> None:
        if now < self._next_check:
            return
        watched = [
            slot for slot in self._slots if slot.child.mailbox is not None and slot.child.stall_after is not None
        ]
        self._next_check = now + CHECK_EVERY if watched else inf
        for slot in watched:
            slot.handle.observe(now)
            reason = slot.handle.stall(now)
            if reason is not None and slot.wanted and slot.life is not None and slot.life.verdict is None:
                slot.life.cancel(ExitStatus.STALLED, reason, now + slot.child.stop_budget)
                slot.handle.enter(State.STOPPING)
                slot.handle.hung = True

    def _recycle(self, now: float) -> bool:
        """Stop what has to make room for an earlier sibling's new incarnation, the last first, one at a time. Returns
        whether that still goes on."""
        for slot in reversed(self._slots):
            life = slot.life
            if not (slot.recycle and slot.wanted) or life is None or life.overdue:
                continue
            if life.verdict is None:
                life.cancel(ExitStatus.STOPPED, "an earlier sibling is started anew", now + slot.child.stop_budget)
                slot.handle.enter(State.STOPPING)
            return True
        return False

    def _launch(self, now: float, *, hold: bool) -> None:
        nursery = self._running()
        booting = False
        for slot in self._slots:
            if not slot.wanted or slot.up:
                continue
            at_boot = slot.trial is not None and slot.trial.occasion is Occasion.BOOT
            if not (hold or (at_boot and booting)) and slot.life is None and slot.due <= now:
                life = slot.launch(self._on_started)
                nursery.start_soon(slot.run, life, self._on_ended, name=slot.child.name)
            booting = booting or at_boot
            if self._strategy is Strategy.REST_FOR_ONE:
                return  # what comes later is started when this one is up

    async def _await_stop(self, stopping: trio.Event) -> None:
        await stopping.wait()
        self._wake()

    async def _stop_all(self) -> None:
        for slot in self._slots:
            slot.conclude(Interrupted(f"{self.name} stopped before {slot.child.name} had started"))
            if slot.life is None:
                self._end(slot)  # first of all, so that nobody waits for an answer from it
        for slot in reversed(list(self._slots)):
            await slot.stop()
            self._end(slot)

    async def _retire(self, slot: Slot, removed: trio.Event) -> None:
        try:
            await slot.stop()
            if slot.life is not None:
                await slot.life.ended.wait()
            slot.handle.seal("removed")
            self._forget(slot)
        finally:
            removed.set()
            self._wake()

    # What happens to children; called from their tasks

    def _on_started(self, slot: Slot) -> None:
        if slot.life is not None:
            slot.life.started_at = trio.current_time()
        if slot.handle.state is State.STARTING:
            slot.handle.enter(State.RUNNING)
        slot.conclude(None)
        self._wake()

    def _on_ended(self, slot: Slot, life: Life, status: ExitStatus, error: Exception | None) -> None:
        slot.handle.end(status, error)
        slot.recycle = False
        self._wake()
        bad = status not in (ExitStatus.FINISHED, ExitStatus.STOPPED)
        if isinstance(error, Fatal):
            self._fail(error)
        if self._closing:
            self._rest(slot, State.FAILED if bad else State.STOPPED)
        elif slot.removed is not None:
            slot.handle.enter(State.STOPPED)
        elif status is ExitStatus.STOPPED and slot.child.restart is Restart.TEMPORARY and slot.trial is None:
            self._rest(slot, State.STOPPED)
        elif status is ExitStatus.STOPPED:
            slot.due = trio.current_time()
            slot.handle.enter(State.BACKOFF)
        elif status is ExitStatus.GAVE_UP and slot.child.give_up is GiveUp.PARK:
            self._rest(slot, State.FAILED, error)
        elif slot.trial is not None and error is not None:
            self._fail_trial(slot, slot.trial, error)
        elif slot.child.restart is Restart.TEMPORARY or (slot.child.restart is Restart.TRANSIENT and not bad):
            self._rest(slot, State.FAILED if bad else State.STOPPED)
        else:
            self._restart(slot, life, error)

    def _restart(self, slot: Slot, life: Life, error: Exception | None) -> None:
        now = trio.current_time()
        parks = slot.child.give_up is GiveUp.PARK
        history = slot.restarts if parks else self._restarts
        history = (*self._intensity.recent(history, now), now)
        if parks:
            slot.restarts = history
        else:
            self._restarts = history
        if self._intensity.exceeded(history, now):
            self._rest(slot, State.FAILED)
            if not parks:
                self._fail(RestartsExceeded(slot.child.name, error))
            return
        uptime = 0.0 if life.started_at is None else now - life.started_at
        slot.row = self._backoff.row(slot.row, uptime)
        slot.due = now + self._backoff.delay(slot.row, self._random)
        slot.handle.enter(State.BACKOFF)
        self._recycle_after(slot)

    def _recycle_after(self, slot: Slot) -> None:
        if self._strategy is Strategy.REST_FOR_ONE:
            for later in self._slots[self._slots.index(slot) + 1 :]:
                later.recycle = later.life is not None

    def _fail_trial(self, slot: Slot, trial: Trial, error: Exception) -> None:
        self._rest(slot, State.FAILED, error)
        if trial.occasion is Occasion.BOOT:
            error.add_note(f"{slot.child.name} could not be started")
            self._fail(error)
        elif trial.occasion is Occasion.ADDED:
            self._forget(slot)

    def _rest(self, slot: Slot, state: State, error: Exception | None = None) -> None:
        """It does not run and will not by itself: nobody shall wait for an answer from it or from anything below it."""
        slot.wanted = False
        slot.handle.enter(state)
        slot.handle.seal("stopped" if state is State.STOPPED else "out of service after a failure")
        slot.conclude(error)

    def _fail(self, error: Exception) -> None:
        """End the supervisor with `error`; a `Fatal` wins over whatever else did."""
        if self._failure is None or (isinstance(error, Fatal) and not isinstance(self._failure, Fatal)):
            self._failure = error
        self._closing = True
        self._wake()

    # Bookkeeping

    def _open(self, handle: Handle) -> None:
        if self._handle is not None:
            raise RuntimeError(f"supervisor {self.name} has been run already: its Child.factory must make a new one")
        self._handle = handle
        handle.overseer = self
        declared = {child.name for child in self._declared}
        for name, stale in list(handle.children.items()):
            if name not in declared:
                stale.seal("stopped")
                self.registry.detach(stale)
        for child in self._declared:
            self._admit(child, Trial(Occasion.BOOT))

    def _admit(self, child: Child, trial: Trial) -> None:
        if any(slot.child.name == child.name for slot in self._slots):
            raise ValueError(
                f"{self.name} has a child named {child.name!r} already: remove it first, or add another name"
            )
        handle = self.registry.attach(child.name, self._handle, mailbox=child.mailbox, stall_after=child.stall_after)
        self._slots.append(Slot(child, handle, trial))
        self._next_check = -inf

    def _end(self, slot: Slot) -> None:
        if slot.life is None:
            self._rest(slot, State.FAILED if slot.handle.state is State.FAILED else State.STOPPED)
        else:
            slot.handle.seal("stopping")  # it ignores its cancellation; `_on_ended` does the rest when it does end

    def _forget(self, slot: Slot) -> None:
        self._slots.remove(slot)
        self.registry.detach(slot.handle)

    def _find(self, name: str) -> Slot:
        for slot in self._slots:
            if slot.child.name == name and slot.removed is None:
                return slot
        raise KeyError(name)

    def _running(self) -> trio.Nursery:
        if self._nursery is None or self._closing:
            raise RuntimeError(f"supervisor {self.name} is not running: its children cannot be changed now")
        return self._nursery

    def _wind_up(self) -> None:
        self._nursery = None
        for slot in self._slots:
            slot.conclude(Interrupted(f"{self.name} ended before {slot.child.name} had started"))
            if slot.handle.state is not State.FAILED:
                slot.handle.enter(State.STOPPED)

    def _wake(self) -> None:
        self._news.set()
