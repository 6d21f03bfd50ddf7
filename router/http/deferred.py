"""A connection of the plain route that has said nothing yet: an entry in the reactor's table, and no task.

Hypercorn's objects and tasks for a connection take 12 KB; 5,000 connections that never said a word left 20 MB of holes
in the interpreter's arenas when they were gone, which nothing gives back (measured). So hypercorn begins with the first
byte, as a listening socket with `TCP_DEFER_ACCEPT` (tcp(7)) would; that one gives up after a time, and counts nobody.
"""

import socket
from math import inf

import trio

from router.http.guest import Guest


class Deferred:
    """Begins with a connection that has just been accepted; ends when something comes, or after `patience` seconds."""

    __slots__ = ("_gone", "_guest", "deadline", "due")

    def __init__(self, guest: Guest, patience: float) -> None:
        self._guest = guest
        self._gone = False
        self.deadline = inf
        self.due = inf
        reactor = guest.house.reactor
        reactor.add(guest.socket.fileno(), self)
        reactor.at(self, trio.current_time() + patience)

    def ready(self) -> None:
        guest = self._guest
        try:
            first = guest.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            first = b""
        if not first:
            guest.house.leave(guest)
            return
        guest.holder = None
        self.drop()
        guest.house.plain(guest, b"")

    def again(self) -> None:
        """Never asked for."""

    def expired(self) -> None:
        self._guest.house.leave(self._guest)

    def failed(self, error: Exception) -> None:
        if not self._gone:
            self._guest.house.fail(self._guest, error)

    def evict(self) -> bool:
        self._guest.house.leave(self._guest)
        return True

    def expire(self, grace: float) -> None:
        self._guest.house.reactor.at(self, trio.current_time() + grace)

    def drop(self) -> None:
        if self._gone:
            return
        self._gone = True
        reactor = self._guest.house.reactor
        reactor.at(self, inf)
        reactor.remove(self._guest.socket.fileno())
