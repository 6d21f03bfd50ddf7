"""`GET /events`: an environment's log from any place in it, for as long as the reader stays."""

import zlib
from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import msgspec
import structlog
from quart import Quart, Response, request
from quart.wrappers.response import ResponseBody

from router import sse
from router.credentials import Scope, Token
from router.errors import Rejected
from router.http import access, cors, gate, problems
from router.http.audience import Seat
from router.http.feed import RETRY_RANGE, Feed
from router.http.rules import STREAM_CORS as CORS
from router.http.services import Services
from router.http.stream_query import EVENT_STREAM, NDJSON, Asked, begin, parse
from router.names import EnvironmentName
from router.store.engine import Damaged

_log = structlog.get_logger(__name__)
NO_ROOM_RETRY_AFTER: Final = 5  # seconds
_HEADERS: Final = {"Cache-Control": "no-cache, no-store, must-revalidate", "X-Accel-Buffering": "no"}


@dataclass(frozen=True, slots=True)
class StreamsStatistics:
    """open: now; opened: since the start; refused: for want of room; delivered: events; gaps: announced; lag: of the
    reader that is furthest behind, in events; revoked: ended because their token lost its right to them."""

    open: int
    opened: int
    refused: int
    delivered: int
    gaps: int
    lag: int
    revoked: int


class NoRoom(Exception):
    """All streams are taken, in total or of one token."""


class Streams:
    """Admits streams, whichever front serves them, and counts them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.feeds: dict[Feed, Token] = {}
        self._seats: dict[Feed, Seat] = {}
        self._held: Counter[str] = Counter()
        self._opened = 0
        self._refused = 0
        self._delivered = 0
        self._gaps = 0
        self._revoked = 0

    @property
    def open(self) -> int:
        return len(self.feeds)

    def admit(self, token: Token, name: EnvironmentName, asked: Asked) -> Feed:
        """A stream that is to begin; `enter` and `leave` follow.

        Raises:
            ValueError: it asks for a place that cannot be.
            Damaged: the place cannot be looked up.
            NoRoom: every stream is taken.
        """
        services, limits = self._services, self._services.streams
        environment = services.environments[name]
        start = begin(environment, asked)
        if len(self.feeds) >= limits.most:
            self._refused += 1
            services.audience.refused += 1
            raise NoRoom(f"all {limits.most} streams are taken")
        if limits.most_of_token and self._held[token.name] >= limits.most_of_token:
            self._refused += 1
            services.audience.refused += 1
            raise NoRoom(f"all {limits.most_of_token} streams of the token {token.name} are taken")
        return Feed(services, environment, asked, start)

    def enter(self, feed: Feed, token: Token) -> None:
        """The stream has begun."""
        self.feeds[feed] = token
        self._held[token.name] += 1
        self._opened += 1
        services = self._services
        seat = services.audience.seat(feed.environment, services.clock.now(), feed.statistics, consumer=feed.consumer)
        self._seats[feed] = seat.__enter__()
        self._check(feed, token)  # a reload may have come since it was admitted

    def leave(self, feed: Feed) -> None:
        """The stream has ended, however."""
        name = self.feeds.pop(feed).name
        self._seats.pop(feed).__exit__(None, None, None)
        self._held[name] -= 1
        if not self._held[name]:
            del self._held[name]
        statistics = feed.statistics()
        self._delivered += statistics.delivered
        self._gaps += statistics.gaps

    def revoke(self) -> None:
        """End the streams that their tokens give no right to any more; to be called when the keyring has changed."""
        before = self._revoked
        for feed, token in self.feeds.items():
            self._check(feed, token)
        if self._revoked > before:
            _log.info("streams of tokens that have lost their right to them are ended", streams=self._revoked - before)

    def _check(self, feed: Feed, token: Token) -> None:
        if not self._services.keyring().grants(token, Scope.STREAM, feed.environment):
            self._revoked += 1
            feed.end()

    def statistics(self) -> StreamsStatistics:
        now = [feed.statistics() for feed in self.feeds]
        return StreamsStatistics(
            len(now),
            self._opened,
            self._refused,
            self._delivered + sum(one.delivered for one in now),
            self._gaps + sum(one.gaps for one in now),
            max((one.lag for one in now), default=0),
            self._revoked,
        )

    def attach(self, app: Quart) -> None:
        app.add_url_rule("/events", "events", self.events, methods=["GET", "OPTIONS"], provide_automatic_options=False)

    async def events(self) -> Response:
        plain = {name.lower(): value for name, value in request.headers.items()}
        if request.method == "OPTIONS":
            response = Response(b"", status=CORS.preflight_status)
            response.headers.extend(cors.preflight_headers("GET", CORS, plain))
            name = None
        else:
            name, response = self._open(plain)
        response.headers.extend(cors.headers(CORS, plain, self._services.origins(name)))
        return response

    def _open(self, plain: dict[str, str]) -> tuple[EnvironmentName | None, Response]:
        services = self._services
        name: EnvironmentName | None = None
        token = gate.holder()
        try:
            known = {**services.environments, **services.damaged}
            name = access.choose(token, request.args.get("project"), request.args.get("environment"), known)
            if name in services.damaged:
                return name, problems.problem(503, services.damaged[name], retry_after=60)
            asked = parse({key: request.args.getlist(key) for key in request.args}, plain)
            if services.drain.begun:
                return name, problems.problem(503, "the router is stopping", retry_after=1)
            feed = self.admit(token, name, asked)
        except Rejected as error:
            return name, problems.of_fault(error.fault, error.message)
        except ValueError as error:
            return name, problems.problem(400, str(error))
        except Damaged as error:
            return name, problems.problem(503, f"that time cannot be looked up: {error}", retry_after=60)
        except NoRoom as error:
            return name, self._busy(plain, str(error))
        zipped = asked.lines and asked.gzip
        response = Response(EventStream(self, feed, token, zipped=zipped), headers=_HEADERS)
        response.content_type = NDJSON if asked.lines else f"{EVENT_STREAM}; charset=utf-8"
        if zipped:
            response.headers["Content-Encoding"] = "gzip"
        response.timeout = None
        return name, response

    def _busy(self, plain: dict[str, str], message: str) -> Response:
        """A browser's EventSource gives up for good on any status but 200, so it is told in a message instead
        (sdk-behaviour.md, the table of stream clients)."""
        if "sec-fetch-mode" not in plain:
            return problems.problem(503, message, retry_after=NO_ROOM_RETRY_AFTER)
        retry = self._services.random.randint(*RETRY_RANGE)
        data = msgspec.json.encode({"message": message})
        response = Response(sse.retry(retry) + sse.out_of_band("busy", data), headers=_HEADERS)
        response.content_type = f"{EVENT_STREAM}; charset=utf-8"
        return response


class EventStream(ResponseBody):
    """The body of one stream. A class, not a generator: nothing is ever yielded from inside a cancel scope."""

    def __init__(self, streams: Streams, feed: Feed, token: Token, *, zipped: bool = False) -> None:
        self._streams = streams
        self._feed = feed
        self._token = token
        self._zip = zlib.compressobj(6, zlib.DEFLATED, 31) if zipped else None

    async def __aenter__(self) -> Self:
        self._streams.enter(self._feed, self._token)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._streams.leave(self._feed)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        data = await self._feed.next()
        if self._zip is None:
            if data is None:
                raise StopAsyncIteration
            return data
        if data is not None:
            return self._zip.compress(data) + self._zip.flush(zlib.Z_SYNC_FLUSH)
        packed, self._zip = self._zip.flush(), None
        return packed
