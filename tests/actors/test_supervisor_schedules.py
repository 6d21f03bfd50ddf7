"""Laws that hold under any schedule of messages, crashes, hangs, restarts and stops."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, Literal

import trio
from hypothesis import event, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from router.actors.actor import Context
from router.actors.health import State
from router.actors.mailbox import Envelope, Mailbox
from router.actors.restart import Intensity
from router.actors.supervisor import Child, GiveUp, Root, Strategy, run_root
from router.errors import Busy, Interrupted
from tests.actors.doubles import MANY, Bench, custom

Action = Literal["reply", "fail", "crash", "reply and crash", "reply twice", "forget", "hang", "stash", "forward"]
Target = Literal["front", "back"]


class Wrong(Exception):
    """What an actor fails a message with: carries its number."""


@dataclass(frozen=True)
class Work:
    """A message: `action` is what its actor does with it, after `pause` seconds. The right answer is twice `number`."""

    number: int
    action: Action
    pause: float


@dataclass(frozen=True)
class Send:
    target: Target
    action: Action
    pause: float
    timeout: float | None  # None: told, not asked


@dataclass(frozen=True)
class Sleep:
    seconds: float


@dataclass(frozen=True)
class Fuse:
    """The target crashes at so many checkpoints of its own from now."""

    target: Target
    checkpoints: int


@dataclass(frozen=True)
class Revive:
    pass


Step = Send | Sleep | Fuse | Revive

TARGETS: st.SearchStrategy[Target] = st.sampled_from(["front", "back"])
ACTIONS: st.SearchStrategy[Action] = st.sampled_from(
    ["reply"] * 3 + ["forward"] * 2 + ["fail", "crash", "reply and crash", "reply twice", "forget", "hang", "stash"]
)
MOMENT = 1 / 64  # seconds; like all times here a binary fraction, so that sums and differences are exact
PAUSES = st.sampled_from([0.0, 0.0, 0.0, MOMENT, 0.5])
SENDS = st.builds(Send, TARGETS, ACTIONS, PAUSES, st.sampled_from([None, 0.0, MOMENT, 1.0, 30.0, 30.0]))
STEPS: st.SearchStrategy[Step] = st.one_of(
    SENDS,
    SENDS,
    st.builds(Sleep, st.sampled_from([0.0, MOMENT, 1.0, 5.0])),
    st.builds(Fuse, TARGETS, st.integers(0, 6)),
    st.just(Revive()),
)


class Worker:
    """Does with each message what the message says."""

    def __init__(self, stage: "Stage", name: Target) -> None:
        self._stage = stage
        self._name: Target = name
        self._stash: list[Envelope[Work]] = []

    async def run(self, context: Context[Work]) -> None:
        await self._checkpoint()
        context.started()
        while True:
            try:
                envelopes = await context.inbox.receive_many(3)
            except trio.EndOfChannel:
                return
            self._stage.taken[self._name].update(envelope.message.number for envelope in envelopes)
            for envelope in envelopes:
                await self._checkpoint()
                await trio.sleep(envelope.message.pause)
                await self._do(envelope)
                context.progress()

    async def _do(self, envelope: Envelope[Work]) -> None:
        work = envelope.message
        match work.action:
            case "fail":
                envelope.fail(Wrong(work.number))
            case "crash":
                raise RuntimeError("told to crash")
            case "reply and crash":
                envelope.reply(work.number * 2)
                raise RuntimeError("told to crash")
            case "reply twice":
                envelope.reply(work.number * 2)
                envelope.reply("wrong")
            case "hang":
                await trio.sleep_forever()
            case "stash":
                self._stash.append(envelope)
            case "forward" if self._name == "front":
                envelope.forward(self._stage.mailboxes["back"], replace(work, action="reply"))
            case "forget":
                pass
            case _:
                envelope.reply(work.number * 2)
                while self._stash:
                    stashed = self._stash.pop()
                    await self._checkpoint()
                    stashed.reply(stashed.message.number * 2)

    async def _checkpoint(self) -> None:
        await trio.lowlevel.checkpoint()
        left = self._stage.fuses.get(self._name)
        if left is not None:
            self._stage.fuses[self._name] = left - 1
            if left <= 0:
                del self._stage.fuses[self._name]
                raise RuntimeError("the fuse has burnt down")


class Stage:
    """root, one for one: back; and middle, rest for one: front and a bystander behind it."""

    def __init__(self, intensity: Intensity) -> None:
        self.bench = Bench()
        self.mailboxes: dict[Target, Mailbox[Work]] = {"front": Mailbox("front", 4), "back": Mailbox("back", 4)}
        self.taken: dict[Target, Counter[int]] = {"front": Counter(), "back": Counter()}
        self.fuses: dict[Target, int] = {}
        self.told: dict[Target, set[int]] = {"front": set(), "back": set()}
        self.outcomes: dict[int, str] = {}
        self.asked = 0
        below = [self._worker("front"), custom("bystander", self._stand_by)]
        middle = Child(
            "middle",
            lambda: self.bench.supervisor("middle", below, strategy=Strategy.REST_FOR_ONE, intensity=intensity),
            stop_budget=20.0,
            give_up=GiveUp.PARK,
        )
        back = replace(self._worker("back"), give_up=GiveUp.PARK)
        self.root = self.bench.supervisor("root", [back, middle], intensity=intensity)

    def _worker(self, name: Target) -> Child:
        return Child(name, lambda: Worker(self, name), mailbox=self.mailboxes[name], stop_budget=3.0, stall_after=2.0)

    async def _stand_by(self, context: Context[Any]) -> None:
        context.started()
        await context.stopping.wait()

    async def play(self, steps: list[Step]) -> None:
        async with trio.open_nursery() as askers:
            async with trio.open_nursery() as nursery:
                root: Root = await nursery.start(run_root, self.root)
                for number, step in enumerate(steps):
                    await self._step(number, step, askers)
                root.stop()
            with trio.fail_after(0.001):  # a stopped tree owes nobody anything
                while len(self.outcomes) < self.asked:
                    await trio.lowlevel.checkpoint()

    async def settle(self, steps: list[Step]) -> None:
        """As `play`, but everything gets the time it needs before the stop."""
        await self.play([*steps, *(Sleep(60.0) for _ in range(3))])

    async def _step(self, number: int, step: Step, askers: trio.Nursery) -> None:
        match step:
            case Send(target, action, pause, None):
                try:
                    self.mailboxes[target].tell(Work(number, action, pause))
                    self.told[target].add(number)
                except Busy:
                    pass
            case Send(target, action, pause, timeout) if timeout is not None:
                self.asked += 1
                askers.start_soon(self._ask, self.mailboxes[target], Work(number, action, pause), timeout)
            case Sleep(seconds):
                await trio.sleep(seconds)
            case Fuse(target, checkpoints):
                self.fuses[target] = checkpoints
            case Revive():
                for name in ("back", "middle"):
                    try:
                        await self.root.revive(name)
                    except RuntimeError as error:
                        event(f"revival failed: {error}")

    async def _ask(self, mailbox: Mailbox[Work], work: Work, timeout: float) -> None:
        before = trio.current_time()
        outcome = "nothing"
        try:
            answer = await mailbox.ask(work, timeout=timeout)
            assert answer == work.number * 2
            outcome = "answered"
        except (Busy, Interrupted) as error:
            outcome = type(error).__name__
        except TimeoutError:
            assert trio.current_time() - before >= timeout
            outcome = "timeout"
        except Wrong as error:
            outcome = "failed" if (error.args, work.action) == ((work.number,), "fail") else "wrong"
        assert outcome in ("answered", "Busy", "Interrupted", "timeout", "failed")
        assert trio.current_time() - before <= timeout
        assert work.number not in self.outcomes
        self.outcomes[work.number] = outcome
        event(outcome)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, min_size=8, max_size=40), st.integers(0, 3), st.random_module())
def test_every_ask_has_exactly_one_outcome_and_every_answer_is_the_right_one(
    steps: list[Step], restarts: int, random: object
) -> None:
    """And no message is taken twice, and none is owed an answer once the tree has stopped."""
    stage = Stage(Intensity(restarts, 60.0))
    trio.run(stage.play, steps, clock=MockClock(autojump_threshold=0))
    assert len(stage.outcomes) == stage.asked
    for taken in stage.taken.values():
        assert set(taken.values()) <= {1}
    assert stage.bench.registry.handle("root").state is State.STOPPED


@settings(max_examples=75, deadline=None)
@given(st.lists(STEPS, min_size=8, max_size=40), st.random_module())
def test_accepted_messages_survive_every_crash_and_restart(steps: list[Step], random: object) -> None:
    """Where nobody gives up, a message that was taken in is handled, whatever happens to the actor before."""
    stage = Stage(MANY)
    trio.run(stage.settle, steps, clock=MockClock(autojump_threshold=0))
    for target, told in stage.told.items():
        assert told <= set(stage.taken[target])


@settings(max_examples=30, deadline=None)
@given(st.lists(STEPS, min_size=8, max_size=30), st.integers(0, 400), st.integers(1, 20), st.random_module())
def test_every_ask_has_an_outcome_when_the_root_is_cancelled_anywhere(
    steps: list[Step], moments: int, checkpoints: int, random: object
) -> None:
    stage = Stage(MANY)

    async def cancelled() -> None:
        async with trio.open_nursery() as askers:
            async with trio.open_nursery() as nursery:
                await nursery.start(run_root, stage.root)

                async def drive() -> None:
                    for number, step in enumerate(steps):
                        await stage._step(number, step, askers)

                nursery.start_soon(drive)
                await trio.sleep(moments * MOMENT)
                for _ in range(checkpoints):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
            with trio.fail_after(0.001):
                while len(stage.outcomes) < stage.asked:
                    await trio.lowlevel.checkpoint()

    trio.run(cancelled, clock=MockClock(autojump_threshold=0))
    assert len(stage.outcomes) == stage.asked
