"""Every actor of the tree by its name: who is there, and how it is, without waiting for anyone."""

from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

import trio

from router.actors.actor import Context, ExitStatus
from router.actors.health import Ending, Health, LastError, State
from router.actors.mailbox import Mailbox
from router.clocks import Clock

RECENT: Final = 8  # endings kept for an operator; enough to see the pattern of a crash loop

Listener = Callable[[str, ExitStatus, Exception | None], None]


class Overseer(Protocol):
    """What a running supervisor does for an operator; see `Supervisor.restart`."""

    async def restart(self, name: str) -> None: ...


class Handle:
    """One actor, over all its incarnations. Supervisors write it; everyone else reads `health`."""

    def __init__(self, name: str, clock: Clock, listener: Listener | None) -> None:
        self.name = name
        self.mailbox: Mailbox[Any] | None = None
        self.stall_after: float | None = None
        self.parent: Handle | None = None
        self.overseer: Overseer | None = None
        self.children: dict[str, Handle] = {}
        self.context: Context[Any] | None = None
        self.hung = False
        self.restarts = 0
        self._clock = clock
        self._listener = listener
        self._state = State.STOPPED
        self._since = clock.now()
        self._progressed_at = trio.current_time()
        self._idle_at = trio.current_time()
        self._last_error: LastError | None = None
        self._recent: deque[Ending] = deque(maxlen=RECENT)

    @property
    def state(self) -> State:
        return self._state

    def enter(self, state: State) -> None:
        if state is not self._state:
            self._state = state
            self._since = self._clock.now()

    def begin(self, context: Context[Any]) -> None:
        """An incarnation begins."""
        self.context = context
        self.enter(State.STARTING)

    def end(self, status: ExitStatus, error: Exception | None) -> None:
        """The incarnation has ended; `error` is why, where there is a why."""
        if self.context is not None:
            self._progressed_at = self.context.progressed_at
            self.context = None
        self.hung = False
        at = self._clock.now()
        message = "" if error is None else str(error)
        if error is not None:
            self._last_error = LastError(type(error).__name__, message, at)
        self._recent.append(Ending(at, status, message))
        if self._listener is not None:
            self._listener(self.name, status, error)

    def seal(self, reason: str) -> None:
        """Nobody serves it, nor anything below it, until further notice: intake is refused with "NAME is `reason`", and
        what is queued is answered with `Interrupted`."""
        for child in self.children.values():
            child.seal(reason)
        if self.mailbox is not None:
            self.mailbox.close(reason)
            self.mailbox.discard()

    def observe(self, now: float) -> None:
        """Note that it has nothing to do, if so: a stall is counted from the last time that this was seen.

        Without it an actor that was idle for an hour would count as stalled the moment a message comes.
        """
        if self._pending() == 0:
            self._idle_at = now

    def stall(self, now: float) -> str | None:
        """Why it counts as stalled at trio time `now`; None while it does not.

        It does when messages are queued or in its hand, and either it has made no progress for `stall_after` seconds
        outside any zone, or it is in a zone for longer than the zone's limit. Only a running incarnation can stall:
        recovery at the start may take its time.
        """
        context = self.context
        if context is None or self.stall_after is None or self._state is not State.RUNNING or self._pending() == 0:
            return None
        for zone in context.zones:
            if now - max(zone.since, self._idle_at) > zone.limit:
                return f"waited on {zone.what} for more than the {zone.limit:g} s it allowed itself"
        if context.zones or now - max(context.progressed_at, self._idle_at) <= self.stall_after:
            return None
        return f"no progress for {self.stall_after:g} s with {self._pending()} messages queued or in hand"

    def health(self, now: float) -> Health:
        """Its health at trio time `now`, and that of everything below it."""
        context = self.context
        mailbox = self.mailbox
        return Health(
            name=self.name,
            state=self._state,
            since=self._since,
            progress_age=now - (self._progressed_at if context is None else context.progressed_at),
            mailbox=None if mailbox is None else mailbox.statistics(),
            processed=0 if mailbox is None else mailbox.taken,
            restarts=self.restarts,
            last_error=self._last_error,
            waiting_on=context.zones[-1].what if context is not None and context.zones else None,
            children=tuple(child.health(now) for child in self.children.values()),
            recent=tuple(self._recent),
        )

    def _pending(self) -> int:
        queued = 0 if self.mailbox is None else self.mailbox.depth
        return queued + (0 if self.context is None else self.context.in_hand)


class Registry:
    """Name to actor, and the tree they make. Read it from inside the trio run that the actors live in.

    clock: for the stamps that people read. listener: called with name, status and error whenever an incarnation has
    ended; for logs and metrics, must not raise.
    """

    def __init__(self, clock: Clock, *, listener: Listener | None = None) -> None:
        self._clock = clock
        self._listener = listener
        self._handles: dict[str, Handle] = {}
        self._root: Handle | None = None

    def snapshot(self) -> Health:
        """Health of the root and everything below it.

        Raises:
            LookupError: no root supervisor has been run yet.
        """
        if self._root is None:
            raise LookupError("no actor is known: run a root supervisor with this registry first")
        return self._root.health(trio.current_time())

    def find(self, name: str) -> Health:
        """Health of the actor called `name` and everything below it.

        Raises:
            KeyError: there is none.
        """
        return self._handles[name].health(trio.current_time())

    def stalled(self) -> tuple[str, ...]:
        """Names of the actors that count as stalled now, or were cancelled for it and have not ended yet."""
        now = trio.current_time()
        return tuple(handle.name for handle in self._handles.values() if handle.hung or handle.stall(now) is not None)

    async def restart(self, name: str) -> None:
        """Start an actor anew because an operator asked for it, parked or running, and wait until it has started.

        Raises:
            KeyError: there is none of that name.
            ValueError: it is the root, which only a restart of the process brings back.
            RuntimeError: its supervisor does not run.
            Interrupted: its supervisor stopped before it had started.
            Exception: what it failed with before it had started.
        """
        handle = self._handles[name]
        if handle.parent is None:
            raise ValueError(f"{name} is the root of all actors: restart the router instead")
        if handle.parent.overseer is None or handle.parent.context is None:
            raise RuntimeError(f"{handle.parent.name}, which keeps {name}, does not run: restart that one first")
        await handle.parent.overseer.restart(name)

    def handle(self, name: str) -> Handle:
        """For supervisors.

        Raises:
            KeyError: there is none of that name.
        """
        return self._handles[name]

    def attach(
        self,
        name: str,
        parent: Handle | None = None,
        *,
        mailbox: Mailbox[Any] | None = None,
        stall_after: float | None = None,
    ) -> Handle:
        """Make the actor `name` known below `parent`, or as the root. One known before goes on with its counts.

        Raises:
            ValueError: the name belongs to another actor, or there is a live root already.
        """
        known = self._handles.get(name)
        if known is not None and (known.parent is not parent or known.context is not None):
            raise ValueError(f"two actors are named {name!r}: names are unique in the tree, give one of them another")
        if parent is None and self._root is not None and self._root is not known:
            if self._root.context is not None:
                raise ValueError(f"{self._root.name} is the root already: give {name!r} a registry of its own")
            self.detach(self._root)
        handle = Handle(name, self._clock, self._listener) if known is None else known
        handle.mailbox = mailbox
        handle.stall_after = stall_after
        handle.parent = parent
        self._handles[name] = handle
        if parent is None:
            self._root = handle
        else:
            parent.children.pop(name, None)  # so that children are listed in the order of their latest start
            parent.children[name] = handle
        return handle

    def detach(self, handle: Handle) -> None:
        """Forget an actor, and everything below it."""
        for child in list(handle.children.values()):
            self.detach(child)
        self._handles.pop(handle.name, None)
        if handle.parent is not None:
            handle.parent.children.pop(handle.name, None)
        if self._root is handle:
            self._root = None
