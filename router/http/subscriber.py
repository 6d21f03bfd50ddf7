"""A stream in the fast lane: an entry in the hub while its reader keeps up, a task of its own while it does not.

The frames are built once for all who stand at the same place; what is each reader's own is the write into its socket's
buffer. One that does not take what it is given, or has much to catch up on, gets a task, reads the log at its own
speed, and comes back when it stands at the watermark.
"""

import os
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final

import trio

from router.credentials import Token
from router.http.feed import Feed
from router.http.guest import Guest
from router.http.sending import Sent, send

if TYPE_CHECKING:
    from router.http.hub import Hub

END: Final = b"0\r\n\r\n"
_READ: Final = 4096


class Subscriber:
    """Made when the stream is admitted; `begin` starts it.

    live: no task is at work for it, and whatever comes is to be pumped.
    """

    __slots__ = (
        "_descriptor", "_guest", "_hub", "_over", "_write", "deadline", "due", "feed", "live", "token",
    )  # fmt: skip

    def __init__(self, hub: "Hub", guest: Guest, feed: Feed, token: Token, write_timeout: float) -> None:
        self.feed = feed
        self.token = token
        self.live = False
        self._hub = hub
        self._guest = guest
        self._write = write_timeout
        self._descriptor = guest.socket.fileno()
        self._over = False
        self.deadline = inf
        self.due = inf

    def begin(self, head: bytes) -> None:
        """Send the head of the answer and what there is already."""
        self._guest.house.reactor.add(self._descriptor, self)
        self.feed.stir = partial(self._guest.house.reactor.at, self, -inf)
        self._hub.enter(self)
        self.live = True
        if self._give(head):
            self.pump()

    def pump(self) -> None:
        """Give the reader what it has not had, or leave that to a task."""
        feed = self.feed
        data = feed.take()
        if data is None:
            if self._give(END, last=True):
                self._guest.house.leave(self._guest)
            return
        if data:
            if not self._give(self._hub.framed(data)):
                return
            self._rest()
        if feed.ready:
            self._go_behind(b"")

    def ready(self) -> None:
        """What a reader still sends is dropped; when it goes, its stream ends."""
        try:
            while data := os.read(self._descriptor, _READ):
                if len(data) < _READ:
                    return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._guest.house.leave(self._guest)

    def again(self) -> None:
        """Never asked for."""

    def expired(self) -> None:
        """It is time for a heartbeat, or for the end that the feed has set itself."""
        if not self.live:
            return
        if self.feed.ready or self.feed.wakes <= trio.current_time():
            self.pump()
        elif self._give(self._hub.framed(self.feed.beat)):
            self._rest()

    def failed(self, error: Exception) -> None:
        if not self._over:
            self._guest.house.fail(self._guest, error)

    def evict(self) -> bool:
        return False

    def expire(self, grace: float) -> None:
        """Its feed ends it."""

    def drop(self) -> None:
        if self._over:
            return
        self._over = True
        self.live = False
        reactor = self._guest.house.reactor
        reactor.at(self, inf)
        reactor.remove(self._descriptor)
        self._hub.leave(self)
        self.feed.stir = None  # or the two would hold each other until the collector looks

    def _rest(self) -> None:
        """Until the next heartbeat, or until the feed wants to be asked."""
        if self.live:
            until = trio.current_time() + self.feed.heartbeat
            self._guest.house.reactor.at(self, min(until, self.feed.wakes))

    def _give(self, data: bytes, *, last: bool = False) -> bool:
        """Write it all; False where a task has to, or nobody can."""
        try:
            sent = os.write(self._descriptor, data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._guest.house.leave(self._guest)
            return False
        if sent == len(data):
            return True
        self._go_behind(data[sent:], last=last)
        return False

    def _go_behind(self, rest: bytes, *, last: bool = False) -> None:
        self.live = False
        self._guest.house.begin(self._guest, partial(self._catch_up, rest, ended=last))

    async def _catch_up(self, rest: bytes, *, ended: bool) -> None:
        """Send what is left and what the log has, until the reader stands at the watermark."""
        guest, feed = self._guest, self.feed
        while True:
            while not rest:
                await trio.lowlevel.checkpoint()
                if self._over:
                    return
                data = feed.take()
                if data is None:
                    ended, rest = True, END
                elif data:
                    rest = self._hub.framed(data)
                elif not feed.ready:
                    self.live = True  # before anything may come that it would not be told of
                    self._rest()
                    return
            outcome = await send(guest.socket, rest, self._write)
            if self._over:
                return
            if outcome is not Sent.ALL or ended:
                guest.house.leave(guest, cut=outcome is Sent.TOO_SLOW)
                return
            rest = b""
