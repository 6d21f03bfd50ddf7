"""`GET /events`: an environment's log as server-sent events, from any place in it, for as long as the reader stays."""

from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

import msgspec
import trio
from quart import Quart, Response, request
from quart.wrappers.response import ResponseBody

from router import sse
from router.credentials import Scope
from router.dialects.dialect import Cors
from router.errors import Rejected
from router.http import access, cors, problems
from router.http.services import Services
from router.names import Cursor, EnvironmentName
from router.pipeline.environments import Environment
from router.pipeline.subscription import Chunk, Gap, Subscription
from router.records import Event
from router.store.engine import Damaged
from router.store.log import Stored

RETRY_RANGE: Final = (500, 5000)  # milliseconds; spread so that the readers of a stopped router do not return at once
# EventSource sends no header of its own but these; other clients in a page send a token and a format.
CORS: Final = Cors("Authorization,Cache-Control,Last-Event-ID,Accept", mirror_headers=True, preflight_status=204)
HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-store, must-revalidate",
    "X-Accel-Buffering": "no",
}


class Streams:
    """Opens streams and counts them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.open = 0

    def attach(self, app: Quart) -> None:
        app.add_url_rule("/events", "events", self.events, methods=["GET", "OPTIONS"], provide_automatic_options=False)

    async def events(self) -> Response:
        plain = _headers()
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
        query = request.args
        name: EnvironmentName | None = None
        try:
            token = access.require(services.keyring(), access.presented(plain, query), Scope.STREAM)
            known = {**services.environments, **services.damaged}
            name = access.choose(token, query.get("project"), query.get("environment"), known)
            if name in services.damaged:
                return name, problems.problem(503, services.damaged[name], retry_after=60)
            environment = services.environments[name]
            last = request.headers.get("Last-Event-ID") or query.get("Last-Event-ID")
            start = begin(environment, last, query.get("from", "latest"))
        except Rejected as error:
            return name, problems.of_fault(error.fault, error.message)
        except ValueError as error:
            return name, problems.problem(400, str(error))
        except Damaged as error:
            return name, problems.problem(503, f"that time cannot be looked up: {error}", retry_after=60)
        if services.drain.begun:
            return name, problems.problem(503, "the router is stopping", retry_after=1)
        if self.open >= services.streams.most:
            return name, problems.problem(503, f"all {services.streams.most} streams are taken", retry_after=5)
        response = Response(EventStream(self, services, environment, start), headers=HEADERS)
        response.timeout = None
        return name, response


class Start(msgspec.Struct, frozen=True):
    """Where a stream begins: the first offset wanted, and the cursor of another epoch that it was asked with."""

    offset: int
    foreign: str | None = None


def begin(environment: Environment, last: str | None, start: str) -> Start:
    """Where a stream begins; `last` is a `Last-Event-ID` and wins over `start`, the `from` parameter.

    Raises:
        ValueError: neither a cursor, nor a time, nor `latest` or `earliest`.
    """
    log, end = environment.log, environment.watermark.end
    if last:
        start = last
    elif start == "latest":
        return Start(end)
    elif start == "earliest":
        return Start(log.low)
    elif (time := moment(start)) is not None:
        return Start(log.offset_at(time, end))
    cursor = Cursor.parse(start)
    if cursor.epoch != log.epoch or cursor.offset >= end:
        # Not of this log's life: what the reader has not seen begins with the oldest event that is kept.
        return Start(log.low, start)
    return Start(cursor.offset + 1)


def moment(text: str) -> int | None:
    """Unix ms of a time in milliseconds or ISO 8601; None where `text` is neither. Without a zone it is UTC."""
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return round(time.timestamp() * 1000)


def raw_frame(cursor: str, _stored: Stored, event: Event) -> bytes:
    """The event as its SDK sent it."""
    return sse.message(cursor, event.raw)


class EventStream(ResponseBody):
    """The body of one stream. A class, not a generator: nothing is ever yielded from inside a cancel scope."""

    def __init__(self, streams: Streams, services: Services, environment: Environment, start: Start) -> None:
        self._streams = streams
        self._services = services
        self._environment = environment
        self._subscription = Subscription(environment.log, environment.watermark, start.offset, raw_frame)
        self._opening: bytes | None = self._greeting(start)
        self._ended = False

    def _greeting(self, start: Start) -> bytes:
        if start.foreign is None:
            return sse.HEARTBEAT  # flushes the headers: a browser's onopen fires at once
        data = {"from": start.foreign, "to": self._cursor(start.offset)}
        return sse.out_of_band("reset", msgspec.json.encode(data), cursor=self._cursor(start.offset))

    def _cursor(self, offset: int) -> str | None:
        return str(Cursor(self._environment.log.epoch, offset - 1)) if offset else None

    async def __aenter__(self) -> Self:
        self._streams.open += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._streams.open -= 1

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Everything between the cursor and the watermark in one piece, or a heartbeat."""
        if self._opening is not None:
            opening, self._opening = self._opening, None
            return opening
        if self._ended:
            raise StopAsyncIteration
        data = b""
        with trio.move_on_after(self._services.streams.heartbeat):
            while not data:
                step = await self._subscription.next()
                if step is None:
                    self._ended = True
                    return sse.retry(self._services.random.randint(*RETRY_RANGE))
                data = step.data if isinstance(step, Chunk) else self._gap(step)
        return data or sse.HEARTBEAT

    def _gap(self, gap: Gap) -> bytes:
        end = self._cursor(gap.last + 1)
        data = {"from": self._cursor(gap.first), "to": end, "lost": gap.lost, "reason": gap.reason}
        return sse.out_of_band("gap", msgspec.json.encode(data), cursor=end)


def _headers() -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}
