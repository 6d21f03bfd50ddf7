"""The fast lane over a stream that is no plain socket (TLS): the same requests and answers, in a task of its own."""

from typing import Final

import trio

from router.dialects.dialect import Reply
from router.http.connection import IdleTimer
from router.http.ingest import Large
from router.http.lane import MOST_CHUNKED, PATIENCE, READ, Lane, Opened, Target
from router.http.reader import Reader

_GONE: Final = (trio.ClosedResourceError, trio.BrokenResourceError)


class Talk:
    """The requests of one connection, one after the other.

    timer: until when it may be idle. cut: whether it ended because its peer took nothing for `write_timeout` seconds.
    """

    def __init__(
        self, lane: Lane, stream: trio.abc.Stream, timer: IdleTimer, write_timeout: float, max_head: int
    ) -> None:
        self._lane = lane
        self._stream = stream
        self._timer = timer
        self._write_timeout = write_timeout
        self._max_head = max_head
        self._reader = Reader()
        self._held = 0
        self.cut = False

    async def run(self) -> bytes:
        """Serve until a request comes that is not for here, then the bytes of it that have come; until the connection
        ends, then none."""
        lane, reader = self._lane, self._reader
        while True:
            await self._timer.restart(None, None)
            head = reader.head(self._max_head) if reader.begun else True
            while head is True:
                if not await self._hear():
                    return b""
                head = reader.head(self._max_head)
            found = None if head is False else lane.find(head)
            if found is None:
                return self._elsewhere()
            self._timer.busy()
            if isinstance(found, Opened):
                await self._stream_events(found)
                return b""
            body = await self._body(found)
            if isinstance(body, bool):
                return self._elsewhere()
            try:
                reply = await self._reply(found, body)
            finally:
                lane.guard.budget.give_back(self, self._held)
                self._held = 0
            close = found.head.close or lane.services.drain.begun
            if not await self._send(lane.answer(reply, close=close)) or close:
                return b""

    def _elsewhere(self) -> bytes:
        self._lane.guard.budget.give_back(self, self._held)
        self._held = 0
        self._lane.handed += 1
        return self._reader.raw()

    async def _hear(self) -> bool:
        """Wait for more of a head; whether more came in time."""
        with self._timer.reading() as scope:
            data = await self._receive()
        if scope.cancelled_caught or not data:
            return False
        self._timer.heard()
        self._reader.feed(data)
        return True

    async def _body(self, target: Target) -> bytes | bool:
        """The body; False where the plain route is to read it."""
        size, budget = target.head.length, self._lane.guard.budget
        if size is not None:
            if size > self._lane.guard.limits.max_body or not budget.try_take(size):
                return False
            self._held = size
        body = self._reader.body(target.head, MOST_CHUNKED if size is None else size)
        with trio.move_on_after(PATIENCE):
            while body is True and (data := await self._receive()):
                self._reader.feed(data)
                body = self._reader.body(target.head, MOST_CHUNKED if size is None else size)
        if size is None and not isinstance(body, bool):
            await budget.take(self, len(body))
            self._held = len(body)
        return False if body is True else body

    async def _reply(self, target: Target, body: bytes) -> Reply:
        ingest = self._lane.ingest
        step = self._lane.take(target, body)
        if isinstance(step, Large):
            step = await ingest.decode(step)
        if isinstance(step, Reply):
            return step
        return await ingest.settle(step)

    async def _stream_events(self, opened: Opened) -> None:
        """The stream, until it ends or its reader goes."""
        lane, feed = self._lane, opened.feed
        lane.streamed += 1
        lane.streams.enter(feed, opened.token)
        try:
            if not await self._send(opened.head):
                return
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch, nursery.cancel_scope)
                going = True
                while going and (piece := await feed.next()) is not None:
                    going = await self._send(lane.hub.framed(piece))
                if going:
                    await self._send(b"0\r\n\r\n")
                nursery.cancel_scope.cancel(reason="the stream has ended")
        finally:
            lane.streams.leave(feed)

    async def _watch(self, scope: trio.CancelScope) -> None:
        """End the stream when its reader goes; what it still sends is dropped."""
        while await self._receive():
            pass
        scope.cancel(reason="the reader has gone")

    async def _receive(self) -> bytes:
        try:
            return bytes(await self._stream.receive_some(READ))
        except _GONE:
            return b""

    async def _send(self, data: bytes) -> bool:
        """Send all of it; whether the connection goes on."""
        for start in range(0, len(data), READ):
            with trio.move_on_after(self._write_timeout) as scope:
                try:
                    await self._stream.send_all(memoryview(data)[start : start + READ])
                except _GONE:
                    return False
            if scope.cancelled_caught:
                self.cut = True
                return False
        return True
