"""Hypercorn's connections under an accept loop of our own, so that a stop really ends within its budget.

`hypercorn.trio.serve` hides the sockets it accepts and shields every send from cancellation: one reader that stops
reading wedges it for ever (measured: still there 25 s after the cancel). Here the accepted streams are known, and
those that outlive the drain are reset underneath hypercorn.
"""

import socket
import ssl
import struct
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.worker_context import WorkerContext

from router.http.connection import Connection
from router.http.guard import Application
from router.http.sockets import Listener

MAX_HEAD: Final = 64 * 1024  # bytes of request line and headers; the image fallback and long tags need some
GRACE: Final = 0.2  # seconds in which a request that is on the wire when the drain begins still finds its connection
ABORT_BUDGET: Final = 2.0  # seconds for connections to notice that their socket is gone
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: close sends RST and drops what is unsent

_Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Times in seconds. drain_timeout: for requests in flight at a stop."""

    keep_alive_timeout: float = 75.0
    drain_timeout: float = 10.0
    tls_cert: Path | None = None
    tls_key: Path | None = None


@dataclass(frozen=True, slots=True)
class ServerStatistics:
    """open: connections; accepted: since the start; aborted: reset because they outlived the drain."""

    open: int
    accepted: int
    aborted: int


class Server:
    """Serves `app` on `listeners`, as often as `serve` is called: each time on duplicates of their sockets, so that
    connections wait in the backlog while an incarnation is replaced."""

    def __init__(self, app: Application, listeners: tuple[Listener, ...], settings: ServerSettings) -> None:
        self._app = ASGIWrapper(app)
        self._listeners = listeners
        self._settings = settings
        self._open: dict[_Stream, Connection] = {}
        self._empty = trio.lowlevel.ParkingLot()
        self._accepted = 0
        self._aborted = 0

    async def serve(
        self, stopping: trio.Event, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until `stopping`, then end within `drain_timeout` and two seconds, whatever the peers do."""
        config = self._config()
        context = WorkerContext(None)
        tls = self._tls()
        handler = partial(self._connection, config, context)
        async with trio.open_nursery() as connections:
            with trio.CancelScope() as accepting:
                async with trio.open_nursery() as nursery:
                    sockets = [_listener(listener.socket.dup(), tls) for listener in self._listeners]
                    await nursery.start(partial(trio.serve_listeners, handler, sockets, handler_nursery=connections))
                    task_status.started()
                    await stopping.wait()
                    accepting.cancel(reason="draining")
            await context.terminated.set()
            # What was accepted in the turn in which the drain began has a task, which has not run yet.
            await trio.lowlevel.checkpoint()
            for connection in self._open.values():
                connection.timer.expire(GRACE)
            await self._drained(self._settings.drain_timeout)
            connections.cancel_scope.cancel(reason="the drain is over")
            await self._abort()

    def statistics(self) -> ServerStatistics:
        return ServerStatistics(len(self._open), self._accepted, self._aborted)

    async def _connection(self, config: Config, context: WorkerContext, stream: _Stream) -> None:
        self._accepted += 1
        connection = Connection(self._app, config, context, {}, stream, keep_alive=self._settings.keep_alive_timeout)
        self._open[stream] = connection
        try:
            await connection
        finally:
            del self._open[stream]
            if not self._open:
                self._empty.unpark_all()

    async def _drained(self, budget: float) -> None:
        with trio.move_on_after(budget):
            while self._open:
                await self._empty.park()

    async def _abort(self) -> None:
        """Reset what is left: a cancelled hypercorn connection may still sit in a send that nothing else ends."""
        with trio.CancelScope(shield=True):
            await trio.lowlevel.checkpoint()
            for stream in list(self._open):
                self._aborted += 1
                raw = stream.socket if isinstance(stream, trio.SocketStream) else stream.transport_stream.socket
                if raw.family != socket.AF_UNIX:
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                raw.close()
            await self._drained(ABORT_BUDGET)

    def _config(self) -> Config:
        config = Config()
        config.accesslog = None
        config.errorlog = None
        config.alpn_protocols = ["http/1.1"]
        config.keep_alive_timeout = self._settings.keep_alive_timeout
        config.keep_alive_max_requests = 2**62
        config.graceful_timeout = self._settings.drain_timeout
        config.h11_max_incomplete_size = MAX_HEAD
        config.include_server_header = False
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


def _listener(opened: socket.socket, tls: ssl.SSLContext | None) -> trio.abc.Listener[_Stream]:
    plain = trio.SocketListener(trio.socket.from_stdlib_socket(opened))
    return plain if tls is None else trio.SSLListener(plain, tls, https_compatible=True)
