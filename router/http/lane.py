"""The fast lane: event posts and streams served right on the connection; everything else goes to the plain route.

An accelerator and nothing more. It serves what well-behaved SDKs and readers send, with the same dialects, the same
`Ingest` and the same `Streams`; whatever is unusual - a head that it does not like, a body that is slow, large or finds
no room, another path - is handed to hypercorn with the bytes already read, so that limits and errors are of one making.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

import trio

from router.credentials import Scope, Token
from router.dialects.dialect import Dialect, Reply, Request, Route
from router.errors import Rejected
from router.http import access, cors, heads
from router.http.connection import IdleTimer
from router.http.feed import Feed
from router.http.guard import Guard
from router.http.heads import Chunks, Head
from router.http.ingest import Ingest
from router.http.rules import STREAM_CORS
from router.http.services import Services
from router.http.stream_query import parse
from router.http.streams import NoRoom, Streams
from router.store.engine import Damaged

READ: Final = 64 * 1024
PATIENCE: Final = 2.0  # seconds for a body; a slower one is the plain route's
_GONE: Final = (trio.ClosedResourceError, trio.BrokenResourceError)
_PLAIN_PATH: Final = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@/-]*")
_STATUS: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class LaneStatistics:
    """requests: posts and preflights answered here; streams: begun here; handed: connections given to the plain
    route."""

    requests: int
    streams: int
    handed: int


class Routes:
    """The dialects' routes by method and path."""

    def __init__(self, dialects: Sequence[Dialect]) -> None:
        self._exact: dict[tuple[str, str], tuple[Dialect, Route]] = {}
        self._patterns: list[tuple[str, re.Pattern[str], Dialect, Route]] = []
        for dialect in dialects:
            for route in dialect.routes:
                for method in (route.method,) if route.cors is None else (route.method, "OPTIONS"):
                    if "{" not in route.path:
                        self._exact.setdefault((method, route.path), (dialect, route))
                    else:
                        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(route.path))
                        self._patterns.append((method, re.compile(pattern), dialect, route))

    def find(self, method: str, path: str) -> tuple[Dialect, Route, dict[str, str]] | None:
        """Who serves a path, and the values of its parameters; None where nobody here does."""
        found = self._exact.get((method, path))
        if found is not None:
            return (*found, {})
        for wanted, pattern, dialect, route in self._patterns:
            if wanted == method and (match := pattern.fullmatch(path)) is not None:
                return dialect, route, match.groupdict()
        return None


class Lane:
    """Shared by all connections."""

    def __init__(
        self, services: Services, dialects: Sequence[Dialect], ingest: Ingest, streams: Streams, guard: Guard
    ) -> None:
        self.services = services
        self.ingest = ingest
        self.streams = streams
        self.guard = guard
        self.routes = Routes(dialects)
        self.requests = 0
        self.streamed = 0
        self.handed = 0
        self._second = 0
        self._date = b""

    def date(self) -> bytes:
        """The `Date` line, made once a second."""
        now = self.services.clock.now() // 1000
        if now != self._second:
            self._second = now
            self._date = b"date: " + formatdate(now, usegmt=True).encode() + b"\r\n"
        return self._date

    def statistics(self) -> LaneStatistics:
        return LaneStatistics(self.requests, self.streamed, self.handed)


class Conversation:
    """The requests of one connection, one after the other."""

    def __init__(self, lane: Lane, stream: trio.SocketStream, timer: IdleTimer, write_timeout: float) -> None:
        self._lane = lane
        self._stream = stream
        self._timer = timer
        self._write_timeout = write_timeout
        self._data = b""
        self._held = 0
        self._descriptor = stream.socket.fileno()
        self.cut = False

    async def run(self, max_head: int) -> bytes | None:
        """Serve until the connection ends, then None; or until a request comes that is not for here, then the bytes
        of it that have come."""
        while True:
            await self._timer.restart(None, None)
            head = await self._head(max_head)
            if isinstance(head, bytes):
                return head or None
            end = heads.find_end(self._data)
            path, _, query = head.target.partition("?")
            if _PLAIN_PATH.fullmatch(path) is None or "//" in path or self._speaks_for_others(head):
                return self._hand_over(self._data)
            if path == "/events" and head.method == "GET":
                feed = self._feed(head, query)
                if feed is None:
                    return self._hand_over(self._data)
                self._timer.busy()
                await self._serve(head, *feed)
                return None
            found = self._lane.routes.find(head.method, path)
            if found is None:
                return self._hand_over(self._data)
            self._timer.busy()
            body = await self._body(head, end)
            if body is None:
                return self._hand_over(self._data)
            self._lane.requests += 1
            try:
                reply = await self._reply(head, path, query, body, *found)
            finally:
                self._lane.guard.budget.give_back(self, self._held)
            close = head.close or self._lane.services.drain.begun
            if not await self._send(self._answer(reply, close=close)) or close:
                return None

    def _hand_over(self, data: bytes) -> bytes:
        self._lane.handed += 1
        return data

    def _speaks_for_others(self, head: Head) -> bool:
        """Whether the request may count for an address that a proxy names, which the guard looks into."""
        return bool(self._lane.guard.limits.max_per_address) and "x-forwarded-for" in head.headers

    async def _head(self, max_head: int) -> Head | bytes:
        """The next head, or the bytes to hand over, none at the end."""
        data = self._data
        while (end := heads.find_end(data)) < 0:
            if len(data) > max_head:
                return self._hand_over(data)
            with self._timer.reading() as scope:
                try:
                    more = bytes(await self._stream.receive_some(READ))
                except _GONE:
                    return b""
            if scope.cancelled_caught or not more:
                return self._hand_over(data) if data and not more and not scope.cancelled_caught else b""
            self._timer.heard()
            data += more
        self._data = data
        head = heads.read(data[:end])
        return self._hand_over(data) if head is None else head

    async def _body(self, head: Head, end: int) -> bytes | None:
        """The body; None where the plain route is to read it. `_data` then holds all that has come, else what is behind
        the body."""
        limits, budget = self._lane.guard.limits, self._lane.guard.budget
        self._held = 0
        if head.length is not None:
            if head.length > limits.max_body or not budget.try_take(head.length):
                return None
            self._held = head.length
            whole = end + head.length
            if not await self._more(whole):
                budget.give_back(self, self._held)
                return None
            body, self._data = self._data[end:whole], self._data[whole:]
            return body
        return await self._chunked(end)

    async def _more(self, whole: int) -> bool:
        """Read until so many bytes are there; whether they came in time."""
        parts, have = [self._data], len(self._data)
        if have >= whole:
            return True
        with trio.move_on_after(PATIENCE):
            while have < whole:
                try:
                    more = bytes(await self._stream.receive_some(READ))
                except _GONE:
                    break
                if not more:
                    break
                parts.append(more)
                have += len(more)
        self._data = b"".join(parts) if len(parts) > 1 else parts[0]
        return have >= whole

    async def _chunked(self, end: int) -> bytes | None:
        limits, budget = self._lane.guard.limits, self._lane.guard.budget
        chunks = Chunks()
        behind = chunks.feed(self._data[end:])
        raw = [self._data]
        with trio.move_on_after(PATIENCE):
            while not (chunks.done or chunks.broken or chunks.size > limits.max_body):
                try:
                    more = bytes(await self._stream.receive_some(READ))
                except _GONE:
                    break
                if not more:
                    break
                raw.append(more)
                behind = chunks.feed(more)
        if not chunks.done or chunks.size > limits.max_body or not budget.try_take(chunks.size):
            self._data = b"".join(raw)
            return None
        self._held = chunks.size
        self._data = behind
        return b"".join(chunks.parts)

    async def _reply(
        self, head: Head, path: str, query: str, body: bytes, dialect: Dialect, route: Route, values: dict[str, str]
    ) -> Reply:
        pairs = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
        request = Request(head.method, path, values, pairs, head.headers, body, self._lane.services.clock.now())
        if head.method == "OPTIONS" and route.method != "OPTIONS":
            return self._lane.ingest.preflight(dialect, route, request)
        return await self._lane.ingest.post(dialect, route, request)

    def _answer(self, reply: Reply, *, close: bool) -> bytes:
        lines = [
            _STATUS[reply.status],
            *(f"{name.lower()}: {value}\r\n".encode("latin-1") for name, value in reply.headers),
        ]
        lines += (self._lane.date(), b"content-length: %d\r\n" % len(reply.body))
        lines += (b"connection: close\r\n\r\n" if close else b"\r\n", reply.body)
        return b"".join(lines)

    async def _send(self, data: bytes) -> bool:
        """Send all of it; whether the connection goes on."""
        try:
            sent = os.write(self._descriptor, data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return False
        if sent == len(data):
            # What fits into the socket's buffer needs no turn of the loop: 20 µs of a small post's 200 (measured).
            return True
        data = data[sent:]
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

    def _feed(self, head: Head, query: str) -> tuple[Feed, Token] | None:
        """The stream that is asked for; None where anything speaks against it, which the plain route then says."""
        lane, headers = self._lane, head.headers
        if lane.services.drain.begun or head.length != 0:
            return None
        values: dict[str, list[str]] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            values.setdefault(name, []).append(value)
        single: Mapping[str, str] = {name: several[0] for name, several in values.items()}
        try:
            token = access.require(lane.services.keyring(), access.presented(headers, single), Scope.STREAM)
            chosen = access.choose(token, single.get("project"), single.get("environment"), lane.services.environments)
            asked = parse(values, headers)
            if asked.lines:
                return None
            return lane.streams.admit(token, chosen, asked), token
        except (Rejected, ValueError, Damaged, NoRoom):
            return None

    async def _serve(self, head: Head, feed: Feed, token: Token) -> None:
        """The stream, until it ends or its reader goes."""
        lane = self._lane
        granted = cors.headers(STREAM_CORS, head.headers, lane.services.origins(feed.environment))
        lines = [
            _STATUS[200],
            b"content-type: text/event-stream; charset=utf-8\r\n",
            b"cache-control: no-cache, no-store, must-revalidate\r\nx-accel-buffering: no\r\n",
            b"x-content-type-options: nosniff\r\nconnection: close\r\ntransfer-encoding: chunked\r\n",
            *_lines(granted),
            lane.date(),
            b"\r\n",
        ]
        lane.streamed += 1
        lane.streams.enter(feed, token)
        try:
            if not await self._send(b"".join(lines)):
                return
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch, nursery.cancel_scope)
                # Chunked: of an answer that the end of the connection ends, urllib3 waits for a whole buffer.
                going = True
                while going and (piece := await feed.next()) is not None:
                    going = await self._send(b"%x\r\n%b\r\n" % (len(piece), piece))
                if going:
                    await self._send(b"0\r\n\r\n")
                nursery.cancel_scope.cancel(reason="the stream has ended")
        finally:
            lane.streams.leave(feed)

    async def _watch(self, scope: trio.CancelScope) -> None:
        """End the stream when its reader goes; what it still sends is dropped."""
        try:
            while await self._stream.receive_some(READ):
                pass
        except _GONE:
            pass
        scope.cancel(reason="the reader has gone")


def _lines(headers: Sequence[tuple[str, str]]) -> list[bytes]:
    return [f"{name.lower()}: {value}\r\n".encode("latin-1") for name, value in headers]
