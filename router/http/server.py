"""Hypercorn's connections under an accept loop of our own, so that a stop really ends within its budget.

`hypercorn.trio.serve` hides the sockets it accepts and shields every send from cancellation: one reader that stops
reading wedges it for ever (measured: still there 25 s after the cancel). Here the accepted streams are known, and
those that outlive the drain are reset underneath hypercorn.

Nor does hypercorn keep one connection's trouble from the others: an exception in its reading of a request ends the
whole server, and its HTTP/2 and WebSocket sides raise several at the sender's will (tests/wire/test_hostile_bytes.py).
Here they are logged, and those two sides are never entered.
"""

import logging
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import h11
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.worker_context import WorkerContext

from router.http.acceptor import accept
from router.http.admission import FULL, Admission, AdmissionLimits, AdmissionStatistics
from router.http.channel import Channel, Times
from router.http.connection import Connection
from router.http.deferred import Deferred
from router.http.guard import Application
from router.http.guest import Guest
from router.http.lane import Lane, LaneStatistics
from router.http.reactor import Reactor, ReactorStatistics
from router.http.sockets import Listener
from router.http.talk import Talk

HANDSHAKE_TIMEOUT: Final = 10.0  # seconds until TLS begins, and for it; hypercorn's minute would outlast every drain
BODY_PIECES: Final = 2  # that wait for the application, of up to 64 KiB each; the guard's budget does not see them
GRACE: Final = 0.2  # seconds in which a request that is on the wire when the drain begins still finds its connection
CANCEL_BUDGET: Final = 0.2  # seconds for cancelled connections to end by themselves
ABORT_BUDGET: Final = 2.0  # seconds for connections to notice that their socket is gone
SEARCHED: Final = 1000  # connections that are looked at for an idle one, the oldest first
EVICTION: Final = 0.2  # seconds for one connection to make room for another
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: close sends RST and drops what is unsent

_log = logging.getLogger(__name__)
Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Times in seconds, sizes in bytes. drain_timeout: for requests in flight at a stop. head_timeout: from the first
    byte of a request to the end of its head. admission: of connections. max_head: a request line with headers; the
    image fallback and long tags need some."""

    keep_alive_timeout: float = 75.0
    drain_timeout: float = 10.0
    head_timeout: float = 10.0
    admission: AdmissionLimits = field(default_factory=AdmissionLimits)
    max_head: int = 64 * 1024
    write_timeout: float = 30.0
    tls_cert: Path | None = None
    tls_key: Path | None = None


@dataclass(frozen=True, slots=True)
class ServerStatistics:
    """open: connections; accepted: since the start; aborted: reset because they outlived the drain; failed: ended by
    an exception that only a fault of hypercorn's or ours explains; evicted: closed idle, to make room; cut: because
    they accepted nothing for too long. lane: None where it is off."""

    open: int
    accepted: int
    aborted: int
    failed: int
    evicted: int
    cut: int
    admission: AdmissionStatistics
    reactor: ReactorStatistics
    lane: LaneStatistics | None


class Server:
    """Serves `app` on `listeners`, as often as `serve` is called: each time on duplicates of their sockets, so that
    connections wait in the backlog while an incarnation is replaced. What `lane` is for is served there, the rest by
    hypercorn."""

    def __init__(
        self,
        app: Application,
        listeners: tuple[Listener, ...],
        settings: ServerSettings,
        lane: Lane | None = None,
    ) -> None:
        self._lane = lane
        self._app = ASGIWrapper(app)
        self._listeners = listeners
        self._settings = settings
        self._open: dict[Guest, None] = {}
        self._empty = trio.lowlevel.ParkingLot()
        self._accepted = 0
        self._aborted = 0
        self._failed = 0
        self._evicted = 0
        self._cut = 0
        self._admission = Admission(settings.admission)
        self._tls = _tls(settings)
        self._config = _config(settings)
        self.reactor = Reactor()
        self._context = WorkerContext(None)
        self._tasks: trio.Nursery | None = None

    def reload_certificate(self, certificate: Path | None, key: Path | None) -> None:
        """Show these to clients that connect from now on; without effect where TLS is off.

        Raises:
            OSError: a file cannot be read, or the two do not fit.
        """
        if self._tls is not None and certificate is not None:
            self._tls.load_cert_chain(certificate, key)

    def limit(self, head_timeout: float, admission: AdmissionLimits) -> None:
        """Hold connections that are opened from now on to other limits."""
        self._settings = replace(self._settings, head_timeout=head_timeout)
        self._admission.limits = admission

    async def serve(
        self, stopping: trio.Event, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until `stopping`, then end within `drain_timeout` and some two seconds, whatever the peers do; when it
        is cancelled, within the two."""
        self.reactor = Reactor()
        self._context = WorkerContext(None)
        async with trio.open_nursery() as engine:
            await engine.start(self.reactor.run)
            if self._lane is not None:
                await engine.start(self._lane.hub.run)
            async with trio.open_nursery() as self._tasks:
                try:
                    with trio.CancelScope() as accepting:
                        async with trio.open_nursery() as nursery:
                            for listener in self._listeners:
                                await nursery.start(accept, listener.socket, self._arrived)
                            task_status.started()
                            await stopping.wait()
                            accepting.cancel(reason="draining")
                    await self._context.terminated.set()
                    # What was accepted in the turn in which the drain began has a task, which has not run yet.
                    await trio.lowlevel.checkpoint()
                    for guest in self._open:
                        if guest.holder is not None:
                            guest.holder.expire(GRACE)
                    await self._drained(self._settings.drain_timeout)
                finally:
                    self._tasks.cancel_scope.cancel(reason="the drain is over")
                    await self._abort()
            engine.cancel_scope.cancel(reason="all connections are closed")

    @property
    def open(self) -> int:
        """Connections now."""
        return len(self._open)

    def statistics(self) -> ServerStatistics:
        admission = self._admission.statistics()
        lane = None if self._lane is None else self._lane.statistics()
        return ServerStatistics(
            len(self._open),
            self._accepted,
            self._aborted,
            self._failed,
            self._evicted,
            self._cut,
            admission,
            self.reactor.statistics(),
            lane,
        )

    def begin(self, guest: Guest, task: Callable[[], Awaitable[None]]) -> None:
        """As `House` has it."""
        if self._tasks is not None:
            self._tasks.start_soon(self._run, guest, task)

    def plain(self, guest: Guest, ahead: bytes) -> None:
        """As `House` has it."""
        bare = trio.SocketStream(trio.socket.from_stdlib_socket(guest.socket))
        tls = self._tls
        stream = bare if tls is None else trio.SSLStream(bare, tls, server_side=True, https_compatible=True)
        self.begin(guest, partial(self._converse, guest, stream, ahead))

    def leave(self, guest: Guest, *, cut: bool = False) -> None:
        """As `House` has it."""
        if guest.over:
            return
        guest.close()
        self._cut += cut
        if guest in self._open:
            del self._open[guest]
            self._admission.leave(guest.address)
            if not self._open:
                self._empty.unpark_all()

    def fail(self, guest: Guest, error: BaseException) -> None:
        """As `House` has it."""
        self._failed += 1
        _log.error("a connection failed; the others go on", exc_info=error)
        self.leave(guest)

    def _arrived(self, opened: socket.socket, address: str) -> None:
        self._accepted += 1
        guest = Guest(self, opened, address)
        if self._admission.full:
            self.begin(guest, partial(self._make_room, guest))
        else:
            self._admit(guest)

    async def _make_room(self, guest: Guest) -> None:
        """Close a connection that is idle, one of the oldest, so that nobody can lock others out by holding many."""
        for other in islice(self._open, SEARCHED):
            if other.holder is not None and other.holder.evict():
                self._evicted += 1
                with trio.move_on_after(EVICTION):
                    await other.ended()
                break
        self._admit(guest)

    def _admit(self, guest: Guest) -> None:
        if not self._admission.enter(guest.address):
            self.begin(guest, partial(self._turn_away, guest))
            return
        self._open[guest] = None
        settings, lane = self._settings, self._lane
        if lane is not None and self._tls is None:
            times = Times(settings.keep_alive_timeout, settings.head_timeout, settings.write_timeout, settings.max_head)
            guest.holder = Channel(lane, guest, times)
            return
        guest.holder = Deferred(guest, settings.keep_alive_timeout if self._tls is None else HANDSHAKE_TIMEOUT)

    async def _run(self, guest: Guest, task: Callable[[], Awaitable[None]]) -> None:
        try:
            await task()
        except* Exception as group:  # noqa: BLE001 - whatever it is, it must not end the connections of others
            self.fail(guest, group)

    async def _converse(self, guest: Guest, stream: Stream, ahead: bytes) -> None:
        settings = self._settings
        connection = PlainConnection(
            self._app,
            self._config,
            self._context,
            {},
            stream,
            keep_alive=settings.keep_alive_timeout,
            head=settings.head_timeout,
            write_timeout=settings.write_timeout,
        )
        connection.ahead = ahead
        guest.holder = connection.timer
        try:
            if guest.over:
                return
            if isinstance(stream, trio.SSLStream) and self._lane is not None:
                if not await self._handshaken(stream):
                    return
                talk = Talk(self._lane, stream, connection.timer, settings.write_timeout, settings.max_head)
                try:
                    connection.ahead = await talk.run()
                finally:
                    connection.cut = talk.cut
                if not connection.ahead:
                    with trio.move_on_after(EVICTION), suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                        await stream.aclose()
                    return
            await connection
        finally:
            self.leave(guest, cut=connection.cut)
            connection.let_go()

    async def _handshaken(self, stream: trio.SSLStream[trio.SocketStream]) -> bool:
        with trio.move_on_after(HANDSHAKE_TIMEOUT), suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await stream.do_handshake()
            return True
        return False

    async def _turn_away(self, guest: Guest) -> None:
        """Say why where that costs nothing: not where TLS would have to be begun for it."""
        if self._tls is None:
            stream = trio.SocketStream(trio.socket.from_stdlib_socket(guest.socket))
            with trio.move_on_after(EVICTION), suppress(trio.BrokenResourceError):
                await stream.send_all(FULL)
                await stream.send_eof()
        self.leave(guest)

    async def _drained(self, budget: float) -> None:
        with trio.move_on_after(budget):
            while self._open:
                await self._empty.park()

    async def _abort(self) -> None:
        """Reset what is left: a cancelled hypercorn connection may still sit in a send that nothing else ends."""
        with trio.CancelScope(shield=True):
            await self._drained(CANCEL_BUDGET)
            for guest in list(self._open):
                self._aborted += 1
                if guest.socket.family != socket.AF_UNIX:
                    guest.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                self.leave(guest)


class PlainConnection(Connection):
    """A connection that speaks HTTP/1.1 whatever its peer proposes."""

    async def _read_data(self) -> None:
        chosen = self.protocol
        self.protocol = PlainProtocol(  # type: ignore[assignment]  # what is asked of it, it does
            chosen.app,
            chosen.config,
            chosen.context,
            chosen.task_group,
            chosen.state,
            chosen.ssl,
            chosen.client,
            chosen.server,
            chosen.send,
        )
        await super()._read_data()


class PlainProtocol(H11Protocol):
    """HTTP/1.1 and nothing else.

    A request to go over to another protocol is answered as if it were none (RFC 9110, 7.8): the HTTP client of Java
    proposes HTTP/2 on every plain connection, and would get no stream otherwise. The preface of HTTP/2 without asking
    comes to the guard as a request of version 2.0.
    """

    async def _check_protocol(self, event: h11.Request) -> None:
        pass

    async def _send_error_response(self, status_code: int) -> None:
        """400 for whatever cannot be read as a request: 431 or 501 switch some SDKs off for good (contract)."""
        await super()._send_error_response(400)

    async def _create_stream(self, request: h11.Request) -> None:
        if any(name == b"upgrade" for name, _ in request.headers):
            headers = request.headers.raw_items()
            request = h11.Request(
                method=request.method,
                target=request.target,
                headers=[(name, value) for name, value in headers if name.lower() != b"upgrade"],
                http_version=request.http_version,
            )
        await super()._create_stream(request)


def _config(settings: ServerSettings) -> Config:
    config = Config()
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")
    config.alpn_protocols = ["http/1.1"]
    config.keep_alive_timeout = settings.keep_alive_timeout
    config.keep_alive_max_requests = 2**62
    config.graceful_timeout = settings.drain_timeout
    config.h11_max_incomplete_size = settings.max_head
    config.include_server_header = False
    config.max_app_queue_size = BODY_PIECES
    config.ssl_handshake_timeout = HANDSHAKE_TIMEOUT
    # Bodies and streams have deadlines of their own; this one would cut quiet streams.
    config.read_timeout = None
    return config


def _tls(settings: ServerSettings) -> ssl.SSLContext | None:
    if settings.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(settings.tls_cert, settings.tls_key)
    return context
