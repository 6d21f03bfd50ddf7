"""One of hypercorn's connections, with a cheaper idle timer and nothing sent for nothing.

Hypercorn starts a task for the idle time after every request and cancels it before the next one, and takes a lock and a
cancel scope to send no bytes at the end of every answer: together 12 % of a post (measured with py-spy). A deadline on
the read that waits for the next request does the same.
"""

import os
from math import inf
from typing import Any, Final

import trio
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.trio.tcp_server import MAX_RECV, TCPServer

SEND_PIECE: Final = 64 * 1024  # bytes
_GONE: Final = (trio.ClosedResourceError, trio.BrokenResourceError)


class IdleTimer:
    """Stands in for hypercorn's idle task: remembers until when the connection may be idle.

    seconds: for which it may be; head: seconds that the head of a request may take from its first byte. After `expire`
    it may be idle no longer than a grace, now or when it becomes so.
    """

    def __init__(self, seconds: float, head: float = inf) -> None:
        self._seconds = seconds
        self._head = head
        self._begun = False
        self._read: trio.CancelScope | None = None
        self.deadline = inf

    async def restart(self, _task_group: object, _action: object) -> None:
        """A request is done, or none has begun."""
        self._begun = False
        self._set(trio.current_time() + self._seconds)

    async def stop(self) -> None:
        """As hypercorn calls it: see `busy`."""
        self.busy()

    def busy(self) -> None:
        """A request has begun."""
        self._set(inf)

    def heard(self) -> None:
        """Bytes have come: of a head, where no request is being served."""
        if self.deadline != inf and not self._begun:
            self._begun = True
            self._set(min(self.deadline, trio.current_time() + self._head))

    def evict(self) -> bool:
        """End the connection at once if it is idle; whether it is."""
        if self.deadline == inf:
            return False
        self._set(-inf)
        return True

    def expire(self, grace: float) -> None:
        self._seconds = grace
        if self.deadline != inf:
            self._set(trio.current_time() + grace)

    def drop(self) -> None:
        """The connection is being closed, which its task will notice."""

    def reading(self) -> trio.CancelScope:
        """A scope for the next read, which ends it when the idle time is over."""
        self._read = trio.CancelScope(deadline=self.deadline)
        return self._read

    def _set(self, deadline: float) -> None:
        self.deadline = deadline
        if self._read is not None:
            self._read.deadline = deadline


class Connection(TCPServer):
    """A connection of hypercorn's trio worker. `timer.expire()` ends it as soon as it is idle; whoever runs it sets
    `ended`."""

    def __init__(
        self,
        *arguments: Any,  # noqa: ANN401 - hypercorn's own
        keep_alive: float,
        head: float = inf,
        write_timeout: float = inf,
    ) -> None:
        super().__init__(*arguments)
        self.cut = False
        self.ahead = b""  # bytes of the first request that somebody else has read
        self._write_timeout = write_timeout
        self.ended = trio.Event()
        self._reading = trio.CancelScope()
        self.timer = IdleTimer(keep_alive, head)
        self.idle_task = self.timer  # type: ignore[assignment]  # it is called by two methods, which are the same

    def let_go(self) -> None:
        """Undo the circles in which hypercorn's objects hold each other, when the connection is over. The collector
        looks seldom: 5,000 connections that were closed kept 60 MB, and what they had buffered, for long (measured)."""
        for part in (getattr(self, "protocol", None), self):
            if part is not None:
                vars(part).clear()

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, RawData) and not event.data:
            return
        if isinstance(event, RawData):
            await self._send(event.data)
            return
        if isinstance(event, Updated) and not event.idle:
            self.timer.busy()
            return
        await super().protocol_send(event)
        if isinstance(event, Closed):
            # The reading task may not be in a read that the closed socket ends: after a request that is the last one of
            # a drain it waits for its turn to go on, which nobody gives it.
            self._reading.cancel(reason="closed")

    async def _send(self, data: bytes) -> None:
        """Send all of it, in pieces that each have their time: a peer may be slow, but not stand still.

        Shielded, as hypercorn has it, and so ended by that time alone.
        """
        async with self.send_lock:
            try:
                data = self._at_once(data)
                for start in range(0, len(data), SEND_PIECE):
                    with trio.move_on_after(self._write_timeout, shield=True) as scope:
                        await self.stream.send_all(memoryview(data)[start : start + SEND_PIECE])
                    if scope.cancelled_caught:
                        self.cut = True
                        await trio.aclose_forcefully(self.stream)
                        break
                else:
                    return
            except _GONE:
                pass  # the peer is gone: what that means is said below
        await self.protocol.handle(Closed())

    def _at_once(self, data: bytes) -> bytes:
        """Write what fits into the socket's buffer without a turn of the loop, which costs a small answer more than all
        the rest of sending; returns what is left."""
        stream: object = self.stream
        if not isinstance(stream, trio.SocketStream):
            return data
        try:
            return data[os.write(stream.socket.fileno(), data) :]
        except BlockingIOError:
            return data
        except OSError as error:
            raise trio.BrokenResourceError from error

    async def _read_data(self) -> None:
        with self._reading:
            await self._read_until_closed()
        await self.protocol.handle(Closed())

    async def _read_until_closed(self) -> None:
        if self.ahead:
            data, self.ahead = self.ahead, b""
            self.timer.heard()
            await self.protocol.handle(RawData(data))
        while True:
            with self.timer.reading() as scope:
                try:
                    data = bytes(await self.stream.receive_some(MAX_RECV))
                except _GONE:
                    return
            if scope.cancelled_caught:
                await self._initiate_server_close()
                return
            self.timer.heard()
            await self.protocol.handle(RawData(data))
            if not data:
                return
