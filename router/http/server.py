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

from router.http.admission import FULL, Admission, AdmissionLimits, AdmissionStatistics
from router.http.connection import Connection
from router.http.guard import Application
from router.http.lane import Conversation, Lane, LaneStatistics
from router.http.sockets import Listener

HANDSHAKE_TIMEOUT: Final = 10.0  # seconds for TLS; hypercorn's minute would outlast every drain
BODY_PIECES: Final = 2  # that wait for the application, of up to 64 KiB each; the guard's budget does not see them
GRACE: Final = 0.2  # seconds in which a request that is on the wire when the drain begins still finds its connection
CANCEL_BUDGET: Final = 0.2  # seconds for cancelled connections to end by themselves
ABORT_BUDGET: Final = 2.0  # seconds for connections to notice that their socket is gone
SEARCHED: Final = 1000  # connections that are looked at for an idle one, the oldest first
EVICTION: Final = 0.2  # seconds for one connection to make room for another
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: close sends RST and drops what is unsent

_log = logging.getLogger(__name__)
_Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


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
    they accepted nothing for too long."""

    open: int
    accepted: int
    aborted: int
    failed: int
    evicted: int
    cut: int
    admission: AdmissionStatistics
    lane: LaneStatistics


class Server:
    """Serves `app` on `listeners`, as often as `serve` is called: each time on duplicates of their sockets, so that
    connections wait in the backlog while an incarnation is replaced."""

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
        self._open: dict[_Stream, Connection] = {}
        self._empty = trio.lowlevel.ParkingLot()
        self._accepted = 0
        self._aborted = 0
        self._failed = 0
        self._evicted = 0
        self._cut = 0
        self._admission = Admission(settings.admission)
        self._context = self._tls()

    def reload_certificate(self, certificate: Path | None, key: Path | None) -> None:
        """Show these to clients that connect from now on; without effect where TLS is off.

        Raises:
            OSError: a file cannot be read, or the two do not fit.
        """
        if self._context is not None and certificate is not None:
            self._context.load_cert_chain(certificate, key)

    def limit(self, head_timeout: float, admission: AdmissionLimits) -> None:
        """Hold connections that are opened from now on to other limits."""
        self._settings = replace(self._settings, head_timeout=head_timeout)
        self._admission.limits = admission

    async def serve(
        self, stopping: trio.Event, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until `stopping`, then end within `drain_timeout` and some two seconds, whatever the peers do; when it
        is cancelled, within the two."""
        config = self._config()
        context = WorkerContext(None)
        tls = self._context
        handler = partial(self._connection, config, context)
        async with trio.open_nursery() as connections:
            try:
                with trio.CancelScope() as accepting:
                    async with trio.open_nursery() as nursery:
                        sockets = [_listener(listener.socket.dup(), tls) for listener in self._listeners]
                        accept = partial(trio.serve_listeners, handler, sockets, handler_nursery=connections)
                        await nursery.start(accept)
                        task_status.started()
                        await stopping.wait()
                        accepting.cancel(reason="draining")
                await context.terminated.set()
                # What was accepted in the turn in which the drain began has a task, which has not run yet.
                await trio.lowlevel.checkpoint()
                for connection in self._open.values():
                    connection.timer.expire(GRACE)
                await self._drained(self._settings.drain_timeout)
            finally:
                connections.cancel_scope.cancel(reason="the drain is over")
                await self._abort()

    def statistics(self) -> ServerStatistics:
        admission = self._admission.statistics()
        lane = LaneStatistics(0, 0, 0) if self._lane is None else self._lane.statistics()
        return ServerStatistics(
            len(self._open), self._accepted, self._aborted, self._failed, self._evicted, self._cut, admission, lane
        )

    async def _connection(self, config: Config, context: WorkerContext, stream: _Stream) -> None:
        self._accepted += 1
        address = _address(stream)
        if self._admission.full:
            await self._evict()
        if not self._admission.enter(address):
            await _turn_away(stream)
            return
        try:
            await self._converse(config, context, stream)
        finally:
            self._admission.leave(address)

    async def _evict(self) -> None:
        """Close a connection that is idle, one of the oldest, so that nobody can lock others out by holding many."""
        for connection in islice(self._open.values(), SEARCHED):
            if connection.timer.evict():
                self._evicted += 1
                with trio.move_on_after(EVICTION):
                    await connection.ended.wait()
                return

    async def _converse(self, config: Config, context: WorkerContext, stream: _Stream) -> None:
        settings = self._settings
        keep_alive, head = settings.keep_alive_timeout, settings.head_timeout
        wait = settings.write_timeout
        connection = PlainConnection(
            self._app, config, context, {}, stream, keep_alive=keep_alive, head=head, write_timeout=wait
        )
        self._open[stream] = connection
        try:
            if await self._in_lane(connection, stream):
                await connection
        except* Exception:  # noqa: BLE001 - whatever it is, it must not end the connections of others
            self._failed += 1
            _log.exception("a connection failed; the others go on")
        finally:
            del self._open[stream]
            self._cut += connection.cut
            connection.ended.set()
            connection.let_go()
            if not self._open:
                self._empty.unpark_all()

    async def _in_lane(self, connection: Connection, stream: _Stream) -> bool:
        """Serve what the fast lane serves; whether the connection goes on with the plain route."""
        if self._lane is None or not isinstance(stream, trio.SocketStream):
            return True
        conversation = Conversation(self._lane, stream, connection.timer, self._settings.write_timeout)
        try:
            connection.ahead = await conversation.run(self._settings.max_head) or b""
        finally:
            connection.cut = conversation.cut
        return bool(connection.ahead)

    async def _drained(self, budget: float) -> None:
        with trio.move_on_after(budget):
            while self._open:
                await self._empty.park()

    async def _abort(self) -> None:
        """Reset what is left: a cancelled hypercorn connection may still sit in a send that nothing else ends."""
        with trio.CancelScope(shield=True):
            await self._drained(CANCEL_BUDGET)
            for stream in list(self._open):
                self._aborted += 1
                raw = _socket(stream)
                if raw.family != socket.AF_UNIX:
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                raw.close()
            await self._drained(ABORT_BUDGET)

    def _config(self) -> Config:
        config = Config()
        config.accesslog = None
        config.errorlog = logging.getLogger("hypercorn.error")
        config.alpn_protocols = ["http/1.1"]
        config.keep_alive_timeout = self._settings.keep_alive_timeout
        config.keep_alive_max_requests = 2**62
        config.graceful_timeout = self._settings.drain_timeout
        config.h11_max_incomplete_size = self._settings.max_head
        config.include_server_header = False
        config.max_app_queue_size = BODY_PIECES
        config.ssl_handshake_timeout = HANDSHAKE_TIMEOUT
        # Bodies and streams have deadlines of their own; this one would cut quiet streams.
        config.read_timeout = None
        return config

    def _tls(self) -> ssl.SSLContext | None:
        if self._settings.tls_cert is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(self._settings.tls_cert, self._settings.tls_key)
        return context


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


def _socket(stream: _Stream) -> trio.socket.SocketType:
    return (stream if isinstance(stream, trio.SocketStream) else stream.transport_stream).socket


def _address(stream: _Stream) -> str:
    """Of the peer; empty for a unix socket, and for one that is gone already."""
    try:
        name = _socket(stream).getpeername()
    except OSError:
        return ""
    return str(name[0]) if isinstance(name, tuple) else ""


async def _turn_away(stream: _Stream) -> None:
    """Say why where that costs nothing: not where TLS would have to be begun for it."""
    if isinstance(stream, trio.SocketStream):
        with trio.move_on_after(EVICTION), suppress(trio.BrokenResourceError):
            await stream.send_all(FULL)
            await stream.send_eof()
    await trio.aclose_forcefully(stream)


def _listener(opened: socket.socket, tls: ssl.SSLContext | None) -> trio.abc.Listener[_Stream]:
    plain = trio.SocketListener(trio.socket.from_stdlib_socket(opened))
    return plain if tls is None else trio.SSLListener(plain, tls, https_compatible=True)
