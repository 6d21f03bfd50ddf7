"""Actors that do as they are told, and a root to run them under."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any, cast

import trio
from trio.testing import wait_all_tasks_blocked

from router.actors.actor import Context
from router.actors.health import State
from router.actors.mailbox import Envelope, Mailbox
from router.actors.registry import Registry
from router.actors.restart import Backoff, Intensity
from router.actors.supervisor import Child, Root, Strategy, Supervisor, run_root
from router.clocks import ManualClock
from router.errors import Fatal

PROMPT = Backoff(first=0.0, cap=0.0)
MANY = Intensity(restarts=1000, period=60.0)


class Loaded(Random):
    """Dice that always show the highest number."""

    def uniform(self, a: float, b: float) -> float:
        return b


class Echo:
    """Answers every message with itself, but for those that tell it to do something else."""

    def __init__(self, journal: list[str], *, on_start: Callable[[int], None] | None = None) -> None:
        self._journal = journal
        self._on_start = on_start

    async def run(self, context: Context[str]) -> None:
        if self._on_start is not None:
            self._on_start(sum(line == f"start {context.name}" for line in self._journal))
        self._journal.append(f"start {context.name}")
        context.started()
        try:
            async for envelope in context.inbox:
                await self._handle(context, envelope)
        finally:
            self._journal.append(f"end {context.name}")

    async def _handle(self, context: Context[str], envelope: Envelope[str]) -> None:
        match envelope.message.split():
            case ["crash"]:
                raise ValueError(f"{context.name} was told to crash")
            case ["fatal"]:
                raise Fatal(f"{context.name} was told to end it all")
            case ["hang"]:
                await trio.sleep_forever()
            case ["sleep", seconds]:
                await trio.sleep(float(seconds))
                envelope.reply("slept")
            case ["wait", seconds, limit]:
                with context.waiting_on("the disk", limit=float(limit)):
                    await trio.sleep(float(seconds))
                envelope.reply("waited")
            case ["return"]:
                envelope.reply("returning")
                raise Return
            case _:
                envelope.reply(envelope.message)


class Return(Exception):
    """Not an error here: `Quitter` turns it into a return."""


class Quitter(Echo):
    """An `Echo` that returns by itself when told to."""

    async def run(self, context: Context[str]) -> None:
        try:
            await super().run(context)
        except Return:
            return


class Bench:
    """A registry, a journal, and one mailbox per child that was asked for."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.endings: list[tuple[str, str]] = []
        self.registry = Registry(self.clock, listener=lambda name, status, _: self.endings.append((name, status.value)))
        self.journal: list[str] = []
        self.mailboxes: dict[str, Mailbox[str]] = {}
        self.supervisors: dict[str, Supervisor] = {}

    def echo(self, name: str, *, capacity: int = 16, on_start: Callable[[int], None] | None = None) -> Child:
        """An `Echo` with a mailbox; `on_start` gets the number of its earlier incarnations, and may raise."""
        mailbox = self.mailboxes.setdefault(name, Mailbox(name, capacity))
        return Child(name, lambda: Quitter(self.journal, on_start=on_start), mailbox=mailbox)

    def supervisor(
        self,
        name: str,
        children: Sequence[Child],
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: Intensity = MANY,
        backoff: Backoff = PROMPT,
        random: Random | None = None,
    ) -> Supervisor:
        made = Supervisor(
            name,
            strategy,
            children,
            registry=self.registry,
            intensity=intensity,
            backoff=backoff,
            random=random or Random(0),
        )
        self.supervisors[name] = made
        return made

    def subtree(self, name: str, children: Sequence[Child], *, intensity: Intensity = MANY) -> Child:
        return Child(name, lambda: self.supervisor(name, children, intensity=intensity))

    async def ask(self, name: str, message: str, timeout: float = 5.0) -> object:
        return cast("object", await self.mailboxes[name].ask(message, timeout=timeout))

    async def fell(self, name: str, message: str = "crash") -> None:
        """Have the actor crash, or what else the message says, and wait until its incarnation has ended."""
        ended = len(self.endings)
        self.mailboxes[name].tell(message)
        while name not in [fallen for fallen, _ in self.endings[ended:]]:
            await wait_all_tasks_blocked()

    def state(self, name: str) -> State:
        return self.registry.find(name).state

    @asynccontextmanager
    async def running(self, supervisor: Supervisor) -> AsyncIterator[Root]:
        """A root; stopped in order at the end."""
        async with trio.open_nursery() as nursery:
            root: Root = await nursery.start(run_root, supervisor)
            try:
                yield root
            finally:
                root.stop()


class Custom:
    """Whatever the function does is what the actor does."""

    def __init__(self, run: Callable[[Context[Any]], Awaitable[None]]) -> None:
        self._run = run

    async def run(self, context: Context[Any]) -> None:
        await self._run(context)


def custom(name: str, run: Callable[[Context[Any]], Awaitable[None]]) -> Child:
    return Child(name, lambda: Custom(run))


def alone(error: ExceptionGroup[Exception]) -> Exception:
    """The one exception that a test's nursery has wrapped."""
    (found,) = error.exceptions
    return found
