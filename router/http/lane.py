"""The fast lane: event posts and streams served right on the connection; everything else goes to the plain route.

An accelerator and nothing more. It serves what well-behaved SDKs and readers send, with the same dialects, the same
`Ingest` and the same `Streams`; whatever is unusual - a head that it does not like, a body that is slow, large or finds
no room, another path - is handed to hypercorn with the bytes already read, so that limits and errors are of one making.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from msgspec import Struct

from router.credentials import Scope, Token
from router.dialects.dialect import Dialect, Reply, Request, Route
from router.errors import Rejected
from router.http import access, cors
from router.http.feed import Feed
from router.http.guard import Guard
from router.http.heads import Head
from router.http.hub import Hub, HubStatistics
from router.http.ingest import Ingest, Large, Pending
from router.http.rules import STREAM_CORS
from router.http.services import Services
from router.http.stream_query import parse
from router.http.streams import NoRoom, Streams
from router.store.engine import Damaged

READ: Final = 64 * 1024  # bytes
PATIENCE: Final = 2.0  # seconds for a body; a slower one is the plain route's
MOST_CHUNKED: Final = 1024 * 1024  # bytes of a chunked body, which counts for the budget only when it is whole
_PLAIN_PATH: Final = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@/-]*")
_STREAM: Final = (
    b"content-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache, no-store, must-revalidate\r\nx-accel-buffering: no\r\n"
    b"x-content-type-options: nosniff\r\nconnection: close\r\ntransfer-encoding: chunked\r\n"
)
_STATUS: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class LaneStatistics:
    """requests: posts and preflights answered here; streams: begun here; handed: connections given to the plain
    route. hub: of the streams that are open."""

    requests: int
    streams: int
    handed: int
    hub: HubStatistics


class Routes:
    """The dialects' routes by method and path."""

    def __init__(self, dialects: Sequence[Dialect]) -> None:
        self.exact: dict[tuple[str, str], tuple[Dialect, Route]] = {}
        self._patterns: list[tuple[str, re.Pattern[str], Dialect, Route]] = []
        for dialect in dialects:
            for route in dialect.routes:
                for method in (route.method,) if route.cors is None else (route.method, "OPTIONS"):
                    if "{" not in route.path:
                        self.exact.setdefault((method, route.path), (dialect, route))
                    else:
                        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(route.path))
                        self._patterns.append((method, re.compile(pattern), dialect, route))

    def find(self, method: str, path: str) -> tuple[Dialect, Route, dict[str, str]] | None:
        """Who serves a path, and the values of its parameters; None where nobody here does."""
        found = self.exact.get((method, path))
        if found is not None:
            return (*found, {})
        for wanted, pattern, dialect, route in self._patterns:
            if wanted == method and (match := pattern.fullmatch(path)) is not None:
                return dialect, route, match.groupdict()
        return None


class Target(Struct, frozen=True):
    """Where a request goes whose body may still be on its way. values: of the route's parameters."""

    head: Head
    path: str
    query: str
    dialect: Dialect
    route: Route
    values: Mapping[str, str]


class Opened(Struct, frozen=True):
    """A stream that is admitted. head: of its answer."""

    feed: Feed
    token: Token
    head: bytes


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
        self.hub = Hub(services, streams)
        self.requests = 0
        self.streamed = 0
        self.handed = 0
        self._second = 0
        self._date = b""

    def find(self, head: Head) -> "Target | Opened | None":
        """What a request is for; None where the plain route is to see to it, which then says what is wrong, too."""
        known = self.routes.exact.get((head.method, head.target))
        if known is not None and not self.guard.limits.max_per_address:
            return Target(head, head.target, "", *known, {})
        path, _, query = head.target.partition("?")
        if _PLAIN_PATH.fullmatch(path) is None or "//" in path:
            return None
        if self.guard.limits.max_per_address and "x-forwarded-for" in head.headers:
            return None  # it may count for an address that a proxy names, which the guard looks into
        found = self.routes.find(head.method, path)
        if found is not None:
            return Target(head, path, query, *found)
        if path == "/events" and head.method == "GET":
            return self._open(head, query)
        return None

    def take(self, target: "Target", body: bytes) -> Reply | Large | Pending:
        """A request that is whole: a post that has begun, or the answer to a preflight."""
        self.requests += 1
        head, query = target.head, target.query
        pairs = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
        now = self.services.clock.now()
        request = Request(head.method, target.path, target.values, pairs, head.headers, body, now)
        route = target.route
        if head.method == "OPTIONS" and route.method != "OPTIONS":
            return self.ingest.preflight(target.dialect, route, request)
        return self.ingest.begin(target.dialect, route, request)

    def answer(self, reply: Reply, *, close: bool) -> bytes:
        """The bytes of an answer."""
        headers = "".join([f"{name.lower()}: {value}\r\n" for name, value in reply.headers])
        end = b"content-length: %d\r\nconnection: close\r\n\r\n" if close else b"content-length: %d\r\n\r\n"
        size = end % len(reply.body)
        return b"".join((_STATUS[reply.status], headers.encode("latin-1"), self.date(), size, reply.body))

    def date(self) -> bytes:
        """The `Date` line, made once a second."""
        now = self.services.clock.now() // 1000
        if now != self._second:
            self._second = now
            self._date = b"date: " + formatdate(now, usegmt=True).encode() + b"\r\n"
        return self._date

    def _open(self, head: Head, query: str) -> "Opened | None":
        """The stream that is asked for; None where anything speaks against it."""
        headers = head.headers
        if self.services.drain.begun or head.length != 0:
            return None
        values: dict[str, list[str]] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            values.setdefault(name, []).append(value)
        single: Mapping[str, str] = {name: several[0] for name, several in values.items()}
        try:
            token = access.require(self.services.keyring(), access.presented(headers, single), Scope.STREAM)
            chosen = access.choose(token, single.get("project"), single.get("environment"), self.services.environments)
            asked = parse(values, headers)
            if asked.lines:
                return None
            feed = self.streams.admit(token, chosen, asked)
        except (Rejected, ValueError, Damaged, NoRoom):
            return None
        granted = cors.headers(STREAM_CORS, headers, self.services.origins(feed.environment))
        lines = "".join([f"{name.lower()}: {value}\r\n" for name, value in granted]).encode("latin-1")
        return Opened(feed, token, b"".join((_STATUS[200], _STREAM, lines, self.date(), b"\r\n")))

    def statistics(self) -> LaneStatistics:
        return LaneStatistics(self.requests, self.streamed, self.handed, self.hub.statistics())
