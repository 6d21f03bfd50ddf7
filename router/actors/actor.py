"""What an actor is, and what one incarnation of it is given to work with."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import StrEnum
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

import trio

from router.actors.mailbox import Inbox

M = TypeVar("M")


class ExitStatus(StrEnum):
    """How an incarnation ended.

    FINISHED: it returned by itself, with nothing left to do.
    STOPPED: it was asked or made to stop, by an orderly stop or because an earlier sibling is started anew.
    CRASHED: it raised.
    STALLED: it was cancelled because it made no progress while there was work.
    GAVE_UP: it is a supervisor, and one of its children had to be restarted too often.
    FATAL: it raised `Fatal`; nothing of the tree is started again.
    """

    FINISHED = "finished"
    STOPPED = "stopped"
    CRASHED = "crashed"
    STALLED = "stalled"
    GAVE_UP = "gave_up"
    FATAL = "fatal"


class Zone:
    """A legitimate long wait, from `Context.waiting_on`: `what`, since when (trio time) and for how long at most."""

    __slots__ = ("_context", "limit", "since", "what")

    def __init__(self, context: "Context[Any]", what: str, limit: float) -> None:
        self._context = context
        self.what = what
        self.limit = limit
        self.since = 0.0

    def __enter__(self) -> None:
        self.since = trio.current_time()
        self._context.zones.append(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._context.zones.remove(self)
        self._context.progress()


class Context(Generic[M]):
    """What one incarnation of an actor is given.

    name: of the actor, unique in the tree. stopping: set when an orderly stop is asked; the inbox then ends once what
    is queued has been taken. zones: the waits that are open now, innermost last.

    A test may make one itself, inside a trio run, and drive an actor without a supervisor.
    """

    def __init__(self, name: str, inbox: Inbox[M] | None = None, on_started: Callable[[], None] | None = None) -> None:
        self.name = name
        self.stopping = trio.Event()
        self.zones: list[Zone] = []
        self.has_started = False
        self._inbox = inbox
        self._on_started = on_started
        self._progressed_at = trio.current_time()

    @property
    def inbox(self) -> Inbox[M]:
        """Where its messages come from. Taking one counts as progress.

        Raises:
            RuntimeError: the child was declared without a mailbox.
        """
        if self._inbox is None:
            raise RuntimeError(f"{self.name} has no mailbox: declare its Child with one")
        return self._inbox

    def started(self) -> None:
        """The start barrier: it is ready for work, and what is started after it may rely on that. Must be called once;
        further calls do nothing. An incarnation that returns without it has crashed."""
        if not self.has_started:
            self.has_started = True
            self.progress()
            if self._on_started is not None:
                self._on_started()

    def progress(self) -> None:
        """It is alive: to be called within long work that takes no message and waits for nothing by name."""
        self._progressed_at = trio.current_time()

    def waiting_on(self, what: str, *, limit: float) -> AbstractContextManager[None]:
        """A named zone around a legitimate wait of up to `limit` seconds, shown in its health; no stall inside it until
        the limit has passed. Zones nest, and each limit holds."""
        return Zone(self, what, limit)

    @property
    def progressed_at(self) -> float:
        """Trio time of the latest progress."""
        return self._progressed_at if self._inbox is None else max(self._progressed_at, self._inbox.taken_at)

    @property
    def in_hand(self) -> int:
        """Messages taken and not done with (`Inbox.in_hand`)."""
        return 0 if self._inbox is None else self._inbox.in_hand


class Actor(Protocol[M]):
    """Whatever has one task of its own and may be started again after it failed."""

    async def run(self, context: Context[M]) -> None:
        """One incarnation. Calls `context.started()` when it is ready, returns when it is done or was asked to stop.

        Raises:
            Fatal: the process can no longer keep its promises.
            Exception: a crash; a new incarnation will be made by the child's factory.
        """
        ...
