"""One accepted connection, whoever serves it at the moment."""

import socket
from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

from router.http.reactor import Reactor


class Holder(Protocol):
    """Who serves a connection now."""

    def evict(self) -> bool:
        """End the connection if it is idle; whether it is. A moment may pass until it has ended."""

    def expire(self, grace: float) -> None:
        """End the connection when it has been idle for `grace` seconds, now or later."""

    def drop(self) -> None:
        """The connection is being closed: touch its socket no more."""


class House(Protocol):
    """Where connections are kept: the server."""

    reactor: Reactor

    def begin(self, guest: "Guest", task: Callable[[], Awaitable[None]]) -> None:
        """Run `task` beside everything else; the connection ends with what it raises."""

    def plain(self, guest: "Guest", ahead: bytes) -> None:
        """Serve the connection in the plain route from now on; `ahead` has been read of it."""

    def leave(self, guest: "Guest", *, cut: bool = False) -> None:
        """The connection is over: close it. cut: because it accepted nothing for too long."""

    def fail(self, guest: "Guest", error: BaseException) -> None:
        """It is over by a fault of ours."""


class Guest:
    """What is known of a connection. address: of the peer, empty for a unix socket. holder: None before it is served,
    and after it has ended."""

    __slots__ = ("_ended", "address", "holder", "house", "over", "socket")

    def __init__(self, house: House, opened: socket.socket, address: str) -> None:
        self.house = house
        self.socket = opened
        self.address = address
        self.holder: Holder | None = None
        self.over = False
        self._ended: trio.Event | None = None

    def close(self) -> None:
        """Close the socket, and wake who waits for it or for that."""
        self.over = True
        holder, self.holder = self.holder, None
        if holder is not None:
            holder.drop()
        if self.socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self.socket)
            self.socket.close()
        if self._ended is not None:
            self._ended.set()

    async def ended(self) -> None:
        """Wait until it is closed."""
        if not self.over:
            if self._ended is None:
                self._ended = trio.Event()
            await self._ended.wait()
