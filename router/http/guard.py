"""An ASGI shim that mends what hypercorn and Quart-Trio do to each other, and bounds what a request may take.

- The final body message is shielded: Quart-Trio cancels itself from inside hypercorn's handling of it, which costs the
  connection its idle timer, leaks sockets after an early refusal, and delays every stop (measured on hypercorn 0.18
  with Quart-Trio 0.12).
- HTTP/2 is refused: hypercorn buffers without bound when the client shuts its window.
- Request bodies are bounded: each in size and time, all together in bytes held (`ByteBudget`); Quart reads a body at
  wire speed whatever the handler does.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

import trio

from router.http.budget import BudgetStatistics, ByteBudget

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
# Frameworks and servers type each message on its own, and no two of them alike.
Application = Callable[[Any, Any, Any], Awaitable[None]]

OVERSIZE: Final = "router.oversize"
_SLASHES: Final = re.compile("/{2,}")
_RAW_SLASHES: Final = re.compile(b"/{2,}")
# LaunchDarkly's SDKs read no body, Statsig's need one that is JSON; never 408, which Chromium resends at once.
_SLOW: Final = b'{"success":false,"message":"the body took too long to arrive"}'
_HTTP2: Final = b"HTTP/2 is not spoken here: use HTTP/1.1, or a proxy that ends HTTP/2 in front\n"


def oversize(scope: Mapping[str, Any]) -> bool:
    """Whether the body of this request was larger than the limit; what was read of it is dropped then."""
    return bool(scope.get(OVERSIZE))


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """max_in_flight: bytes of all bodies held at once; max_body: of one; body_timeout: seconds for one to come."""

    max_in_flight: int = 64 * 1024 * 1024
    max_body: int = 10 * 1024 * 1024
    body_timeout: float = 30.0


@dataclass(frozen=True, slots=True)
class GuardStatistics:
    """requests: begun; open: not finished; http2, slow, oversize: refused or cut for that reason."""

    requests: int
    open: int
    http2: int
    slow: int
    oversize: int
    budget: BudgetStatistics


class Guard:
    """Wraps `app`."""

    def __init__(self, app: Application, *, limits: GuardLimits | None = None) -> None:
        self.limits = limits or GuardLimits()
        self.budget = ByteBudget(self.limits.max_in_flight)
        self.oversize = 0
        self._app = app
        self._requests = 0
        self._open = 0
        self._http2 = 0
        self._slow = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._requests += 1
        if scope["http_version"] not in ("1.0", "1.1"):
            self._http2 += 1
            await _answer(send, 505, b"text/plain", _HTTP2)
            return
        if "//" in scope["path"]:
            scope["path"] = _SLASHES.sub("/", scope["path"])
            scope["raw_path"] = _RAW_SLASHES.sub(b"/", scope["raw_path"])
        exchange = Exchange(self, scope, receive, send)
        self._open += 1
        try:
            with exchange.deadline:
                await self._app(scope, exchange.receive, exchange.send)
        finally:
            self._open -= 1
            self.budget.give_back(exchange, exchange.held)
        if exchange.deadline.cancelled_caught:
            self._slow += 1
            if not exchange.answering:
                await _answer(send, 503, b"application/json", _SLOW, (b"retry-after", b"1"))

    def statistics(self) -> GuardStatistics:
        return GuardStatistics(
            self._requests, self._open, self._http2, self._slow, self.oversize, self.budget.statistics()
        )


class Exchange:
    """One request and its answer on their way through the guard. held: bytes of its body that count."""

    __slots__ = ("_guard", "_receive", "_scope", "_seen", "_send", "answering", "deadline", "held")

    def __init__(self, guard: Guard, scope: Scope, receive: Receive, send: Send) -> None:
        self._guard = guard
        self._scope = scope
        self._receive = receive
        self._send = send
        self._seen = 0
        self.held = 0
        self.answering = False
        self.deadline = trio.CancelScope(deadline=trio.current_time() + guard.limits.body_timeout)

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        size = len(message.get("body", b""))
        if size:
            await self._count(message, size)
        if not message.get("more_body"):
            self.deadline.deadline = float("inf")
        return message

    async def send(self, message: Message) -> None:
        self.answering = True
        self.deadline.deadline = float("inf")
        if message["type"] == "http.response.body" and not message.get("more_body"):
            with trio.CancelScope(shield=True):
                await self._send(message)
        else:
            await self._send(message)

    async def _count(self, message: Message, size: int) -> None:
        guard = self._guard
        self._seen += size
        if self._seen <= guard.limits.max_body:
            await guard.budget.take(self, size)
            self.held += size
            return
        # Read on and drop, so that the sender gets to read the answer; but not for ever.
        message["body"] = b""
        if not self._scope.get(OVERSIZE):
            self._scope[OVERSIZE] = True
            guard.oversize += 1
        if self._seen > 4 * guard.limits.max_body:
            message["more_body"] = False


async def _answer(send: Send, status: int, kind: bytes, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    pairs = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), (b"connection", b"close"), *headers]
    with trio.CancelScope(shield=True):
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": body, "more_body": False})
