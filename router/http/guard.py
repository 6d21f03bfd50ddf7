"""An ASGI shim that mends what hypercorn and Quart-Trio do to each other, and bounds what a request may take.

- The final body message is shielded: Quart-Trio cancels itself from inside hypercorn's handling of it, which costs the
  connection its idle timer, leaks sockets after an early refusal, and delays every stop (measured on hypercorn 0.18
  with Quart-Trio 0.12).
- An answer that is finished before its request is read on behind it: hypercorn's last act is to put a message into the
  queue of the body, and when that is full and nobody reads any more, neither the connection nor a stop ever ends.
- HTTP/2 is refused: hypercorn buffers without bound when the client shuts its window.
- Request bodies are bounded: each in size and time, all together in bytes held (`ByteBudget`); Quart reads a body at
  wire speed whatever the handler does.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

import trio

from router.http.budget import BudgetStatistics, ByteBudget
from router.http.clients import Crowd, CrowdStatistics, Proxies, site

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
# Frameworks and servers type each message on its own, and no two of them alike.
Application = Callable[[Any, Any, Any], Awaitable[None]]

OVERSIZE: Final = "router.oversize"
MOST_DROPPED: Final = 4  # times max_body: what is read of a body at most, most of it only to be dropped
LEAST_LINGER: Final = 1.0  # seconds for which a sender may read its answer before the connection is closed
_SLASHES: Final = re.compile("/{2,}")
_RAW_SLASHES: Final = re.compile(b"/{2,}")
_AUTHORITY: Final = re.compile("[A-Za-z][A-Za-z0-9+.-]*://[^/]*")
_RAW_AUTHORITY: Final = re.compile(b"[A-Za-z][A-Za-z0-9+.-]*://[^/]*")
# LaunchDarkly's SDKs read no body, Statsig's need one that is JSON; never 408, which Chromium resends at once.
_SLOW: Final = b'{"success":false,"message":"the body took too long to arrive"}'
_CROWDED: Final = b'{"success":false,"message":"too many requests at once from this address"}'
_AGAIN: Final = ((b"retry-after", b"1"), (b"connection", b"close"))
_HTTP2: Final = b"HTTP/2 is not spoken here: use HTTP/1.1, or a proxy that ends HTTP/2 in front\n"


def oversize(scope: Mapping[str, Any]) -> bool:
    """Whether the body of this request is larger than the limit; the application has not been given all of it then."""
    return bool(scope.get(OVERSIZE))


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """max_in_flight: bytes of all bodies held at once; max_body: of one; body_timeout: seconds for one to come.

    max_per_address: requests at once of one address that trusted `proxies` speak for; 0 is no limit.
    """

    max_in_flight: int = 64 * 1024 * 1024
    max_body: int = 10 * 1024 * 1024
    body_timeout: float = 30.0
    max_per_address: int = 0
    proxies: Proxies = field(default_factory=lambda: Proxies(()))


@dataclass(frozen=True, slots=True)
class GuardStatistics:
    """requests: begun; open: not finished; http2, slow, oversize: refused or cut for that reason. forwarded: what
    proxies have passed on."""

    requests: int
    open: int
    http2: int
    slow: int
    oversize: int
    budget: BudgetStatistics
    forwarded: CrowdStatistics


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
        self._crowd = Crowd()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._requests += 1
        self._open += 1
        exchange = Exchange(self, scope, receive, send)
        client = self._forwarded(scope)
        admitted = client is None or self._crowd.enter(client, self.limits.max_per_address)
        try:
            if admitted:
                await self._serve(exchange, scope)
            else:
                await exchange.answer(503, b"application/json", _CROWDED, *_AGAIN)
        finally:
            self._open -= 1
            exchange.release()
            if admitted and client is not None:
                self._crowd.leave(client)

    def _forwarded(self, scope: Scope) -> str | None:
        """The client that a trusted proxy speaks for; None where there is none, or nobody counts."""
        limits = self.limits
        peer = str(scope["client"][0]) if scope.get("client") else ""
        if not limits.max_per_address or not limits.proxies.trusts(peer):
            return None
        named = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
        return site(limits.proxies.client(peer, ",".join(named))) if named else None

    async def _serve(self, exchange: "Exchange", scope: Scope) -> None:
        if scope["http_version"] not in ("1.0", "1.1"):
            self._http2 += 1
            await exchange.answer(505, b"text/plain", _HTTP2)
            return
        path = scope["path"]
        if "//" in path or path[:1] != "/":
            _normalise(scope)
        with exchange.deadline:
            await self._app(scope, exchange.receive, exchange.send)
        if exchange.deadline.cancelled_caught:
            self._slow += 1
            exchange.release()
            if not exchange.answering:
                await exchange.answer(503, b"application/json", _SLOW, *_AGAIN)

    def limit(self, limits: GuardLimits) -> None:
        """Hold requests that begin from now on to other limits."""
        self.limits = limits
        self.budget.resize(limits.max_in_flight)

    def statistics(self) -> GuardStatistics:
        return GuardStatistics(
            self._requests,
            self._open,
            self._http2,
            self._slow,
            self.oversize,
            self.budget.statistics(),
            self._crowd.statistics(),
        )


class Exchange:
    """One request and its answer on their way through the guard.

    deadline: ends the application when the body takes too long; for ever once the body is there or the answer begun.
    """

    __slots__ = (
        "_cut", "_guard", "_held", "_linger", "_receive", "_scope", "_seen", "_send", "_too_long", "_until", "_whole",
        "answering", "deadline",
    )  # fmt: skip

    def __init__(self, guard: Guard, scope: Scope, receive: Receive, send: Send) -> None:
        self._guard = guard
        self._scope = scope
        self._receive = receive
        self._send = send
        self._too_long = _declared(scope) > guard.limits.max_body
        self._seen = 0
        self._held = 0
        self._whole = False  # nothing more comes of the body
        self._cut = False  # the application has been told so, too early
        self._linger: trio.CancelScope | None = None
        self.answering = False
        self._until = trio.current_time() + guard.limits.body_timeout
        self.deadline = trio.CancelScope(deadline=self._until)

    async def receive(self) -> Message:
        """As ASGI has it. A body over the limit ends for the application where the limit is passed, or at once when
        its length is declared; what still comes is dropped, so that the sender gets to read the answer."""
        if self._too_long and not self._cut:
            await trio.lowlevel.checkpoint()
            return self._cut_off()
        while True:
            message = await self._next()
            if message["type"] != "http.request":
                return message
            if self._cut:
                continue
            if self._seen > self._guard.limits.max_body:
                return self._cut_off()
            if size := len(message.get("body", b"")):
                await self._guard.budget.take(self, size)
                self._held += size
            if self._whole:
                self.deadline.deadline = inf
            return message

    async def send(self, message: Message) -> None:
        """As ASGI has it; the final message is shielded from cancellation."""
        self.answering = True
        self.deadline.deadline = inf
        if message["type"] != "http.response.body" or message.get("more_body"):
            await self._send(message)
        elif self._whole:
            with trio.CancelScope(shield=True):
                await self._send(message)
        else:
            await self._finish(message)

    async def answer(self, status: int, kind: bytes, body: bytes, *headers: tuple[bytes, bytes]) -> None:
        """Answer in place of the application."""
        pairs = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *headers]
        await self.send({"type": "http.response.start", "status": status, "headers": pairs})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    def release(self) -> None:
        """Give back what the body holds of the budget."""
        self._guard.budget.give_back(self, self._held)
        self._held = 0

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._seen += len(message.get("body", b""))
            self._whole = not message.get("more_body")
        else:
            self._whole = True
        if self._linger is not None and self._read_enough():
            self._linger.cancel(reason="enough is read")
        return message

    def _read_enough(self) -> bool:
        return self._whole or self._seen > MOST_DROPPED * self._guard.limits.max_body

    def _cut_off(self) -> Message:
        self._cut = True
        self._scope[OVERSIZE] = True
        self._guard.oversize += 1
        self.deadline.deadline = inf
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _finish(self, message: Message) -> None:
        """End an answer whose request still comes: hand it out whole, let the sender read it, then close.

        Closing on a sender that still sends resets the connection, and it may never see why (RFC 9112, 9.6).
        """
        try:
            if message.get("body"):
                await self._send({**message, "more_body": True})
            # The application may be reading too: whoever comes upon the end, ends this.
            with trio.move_on_at(max(self._until, trio.current_time() + LEAST_LINGER)) as self._linger:
                while not self._read_enough():
                    await self._next()
        finally:
            with trio.CancelScope(shield=True):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._drop)
                    await self._send({"type": "http.response.body", "body": b"", "more_body": False})
                    nursery.cancel_scope.cancel(reason="the answer is out")

    async def _drop(self) -> None:
        while (await self._next())["type"] == "http.request":
            pass


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value)
    return 0


def _normalise(scope: Scope) -> None:
    """One slash for several, which sloppy SDKs send (launchdarkly.md 1.1); a path alone for the absolute form, which
    proxies send (RFC 9112, 3.2.2), and for no path at all."""
    if scope["path"][:1] != "/" and scope["path"] != "*":
        scope["path"] = _AUTHORITY.sub("", scope["path"], count=1) or "/"
        scope["raw_path"] = _RAW_AUTHORITY.sub(b"", scope["raw_path"], count=1) or b"/"
    scope["path"] = _SLASHES.sub("/", scope["path"])
    scope["raw_path"] = _RAW_SLASHES.sub(b"/", scope["raw_path"])
