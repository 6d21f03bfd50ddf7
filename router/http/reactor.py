"""Many sockets in one task: an epoll of our own inside trio's, and the deadlines of those who wait on it.

A trio task, a scope and a registration for every read cost a small post half of its time, and an idle connection most
of its memory (measured: 3 KB and more). Here a waiting connection is an entry in a table.
"""

import select
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import inf
from typing import Final, Protocol

import trio

GONE: Final = 64  # handlers that the heap may keep of sockets that are gone, or as many as there are others
TURN: Final = 64  # sockets that are asked for at once
SLICE: Final = 0.001  # seconds of seeing to them before other tasks have a turn: a sync waits for it too
WATCHED: Final = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET


class Handler(Protocol):
    """What a socket's owner is told. None of these may wait.

    deadline: trio time at which `expired` is called, infinite for never; set through `Reactor.at`. due: the reactor's
    own, where the handler stands in its heap.
    """

    deadline: float
    due: float

    def ready(self) -> None:
        """Something has come since the last time, or the peer is gone; said once for it (edge-triggered)."""

    def again(self) -> None:
        """Its turn has come that it asked for with `Reactor.soon`."""

    def expired(self) -> None:
        """Its deadline has come."""

    def failed(self, error: Exception) -> None:
        """One of the others raised `error`."""


@dataclass(frozen=True, slots=True)
class ReactorStatistics:
    """watched: sockets; waiting: entries in the heap of deadlines; turns: of the loop since the start; events: that it
    has passed on."""

    watched: int
    waiting: int
    turns: int
    events: int


class Reactor:
    """Runs as one task, `run`; the other methods may be called before, during and after."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._heap: list[tuple[float, int, Handler]] = []
        self._pushed = 0
        self._gone = 0
        self._soon: deque[Handler] = deque()
        self._wait = trio.CancelScope()
        self._turns = 0
        self._events = 0

    def add(self, descriptor: int, handler: Handler) -> None:
        """Watch a socket. What has come before is told as well."""
        self._handlers[descriptor] = handler
        self._epoll.register(descriptor, WATCHED)

    def remove(self, descriptor: int) -> None:
        """Watch it no more; before it is closed."""
        del self._handlers[descriptor]
        self._gone += 1
        if self._gone > max(GONE, len(self._handlers)):
            self._forget()
        if not self._epoll.closed:
            self._epoll.unregister(descriptor)

    def at(self, handler: Handler, deadline: float) -> None:
        """Call `expired` at that trio time, and not at the one before. Cheap: most deadlines are moved before they
        come, so each handler stands in the heap once, at the earliest of them."""
        handler.deadline = deadline
        if deadline < handler.due:
            handler.due = deadline
            self._pushed += 1
            heappush(self._heap, (deadline, self._pushed, handler))
            if deadline < self._wait.deadline:
                self._wait.deadline = deadline

    def soon(self, handler: Handler) -> None:
        """Call `again` after the others have had their turn."""
        self._soon.append(handler)
        self._wait.deadline = -inf

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """See to the sockets until cancelled."""
        epoll, handlers = self._epoll, self._handlers
        current_time = trio.lowlevel.current_clock().current_time  # 0.2 µs less than by `trio.current_time`
        waiting: deque[tuple[int, Handler | None]] = deque()
        try:
            task_status.started()
            while True:
                self._wait = trio.CancelScope(deadline=-inf if self._soon or waiting else self._next())
                with self._wait:
                    await trio.lowlevel.wait_readable(epoll.fileno())
                self._turns += 1
                if len(waiting) < TURN:
                    ready = epoll.poll(0, TURN)
                    self._events += len(ready)
                    waiting.extend([(descriptor, handlers.get(descriptor)) for descriptor, _ in ready])
                until = current_time() + SLICE
                while waiting:
                    descriptor, handler = waiting.popleft()
                    if handler is not None and handlers.get(descriptor) is handler:
                        try:  # as `_call`, which would be a hundredth of a small post
                            handler.ready()
                        except Exception as error:  # noqa: BLE001 - as there
                            handler.failed(error)
                        if current_time() >= until:
                            break
                for _ in range(len(self._soon)):
                    handler = self._soon.popleft()
                    self._call(handler.again, handler)
                self._expire()
        finally:
            epoll.close()

    def statistics(self) -> ReactorStatistics:
        return ReactorStatistics(len(self._handlers), len(self._heap), self._turns, self._events)

    def _call(self, what: Callable[[], None], handler: Handler) -> None:
        try:
            what()
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the connections of others
            handler.failed(error)

    def _next(self) -> float:
        return self._heap[0][0] if self._heap else inf

    def _forget(self) -> None:
        """Take those out of the heap who wait for nothing: it would keep them, and all they hold, until the time has
        come that they last waited for."""
        self._gone = 0
        kept = []
        for entry in self._heap:
            when, _, handler = entry
            if when != handler.due:
                continue
            if handler.deadline == inf:
                handler.due = inf
            else:
                kept.append(entry)
        heapify(kept)
        self._heap = kept

    def _expire(self) -> None:
        if not self._heap or self._heap[0][0] > (now := trio.current_time()):
            return
        while self._heap and self._heap[0][0] <= now:
            when, _, handler = heappop(self._heap)
            if when != handler.due:
                continue  # it has been given an earlier place since; here it would get a second one for ever
            handler.due = inf
            if handler.deadline <= now:
                handler.deadline = inf
                self._call(handler.expired, handler)
            else:
                self.at(handler, handler.deadline)
