"""A Quart-Trio application on a real socket, guarded or not, and clients that do as they please."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import pytest
import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from quart import Response, request
from quart.wrappers.response import ResponseBody
from quart_trio import QuartTrio

from router.actors.registry import Registry
from router.clocks import ManualClock
from router.credentials import Keyring
from router.dialects.launchdarkly import LaunchDarkly
from router.dialects.statsig import Statsig
from router.http.admission import AdmissionLimits
from router.http.guard import Application, Guard, GuardLimits, oversize
from router.http.ingest import Ingest
from router.http.lane import Lane
from router.http.server import Server, ServerSettings
from router.http.services import Services
from router.http.sockets import open_listeners
from router.http.streams import Streams

LANE = False
"""Whether connections begin in the fast lane, which passes on what these tests ask for; see `route`."""


@pytest.fixture(autouse=True, params=["plain", "lane"])
def route(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test here runs twice: with hypercorn alone, and with the fast lane in front of it."""
    monkeypatch.setattr("tests.wire.conftest.LANE", request.param == "lane")
    return str(request.param)


def lane(guard: Guard) -> Lane:
    """A fast lane of a router without environments: it recognises its routes and knows nobody."""
    clock = ManualClock()
    services = Services(
        clock=clock,
        keyring=Keyring,
        environments={},
        registry=Registry(clock),
        readiness=list,
        origins=lambda _name: (),
        redact=lambda body: body,
    )
    return Lane(services, (LaunchDarkly(), Statsig()), Ingest(services), Streams(services), guard)


class Endless(ResponseBody):
    """A stream that always has more, or waits for `until`."""

    def __init__(self, piece: bytes, until: trio.Event | None) -> None:
        self.piece = piece
        self.until = until

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def __aiter__(self) -> "Endless":
        return self

    async def __anext__(self) -> bytes:
        if self.until is not None:
            if self.until.is_set():
                raise StopAsyncIteration
            with trio.move_on_after(0.05):
                await self.until.wait()
        return self.piece


def application(stopping: trio.Event | None = None) -> QuartTrio:
    """Routes that the tests need: an echo of a body's size, an early refusal, two streams."""
    app = QuartTrio("wire", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=None, BODY_TIMEOUT=None, RESPONSE_TIMEOUT=None)

    @app.route("/size", methods=["POST"])
    async def size() -> str:
        body = await request.get_data(as_text=False)
        return f"oversize={oversize(request.scope)} size={len(body)}"

    @app.route("/early", methods=["POST"])
    async def early() -> tuple[str, int]:
        return "no", 400

    @app.route("/firehose")
    async def firehose() -> Response:
        response = Response(Endless(b"x" * 8192, None), content_type="text/event-stream")
        response.timeout = None
        return response

    @app.route("/events")
    async def events() -> Response:
        response = Response(Endless(b":\n\n", stopping), content_type="text/event-stream")
        response.timeout = None
        return response

    return app


class Wire:
    """A server that runs: its port, the guard where there is one, and the event that makes it stop."""

    def __init__(self, port: int, guard: Guard | None, server: Server, stopping: trio.Event) -> None:
        self.port = port
        self.guard = guard
        self.server = server
        self.stopping = stopping
        self.stopped = trio.Event()
        self.clients: list[trio.SocketStream] = []

    async def connect(self) -> trio.SocketStream:
        """A client's connection; closed at the end at the latest."""
        client = await trio.open_tcp_stream("127.0.0.1", self.port)
        self.clients.append(client)
        return client

    async def stop(self) -> float:
        """Ask for the stop; returns the seconds that it took."""
        begun = trio.current_time()
        self.stopping.set()
        await self.stopped.wait()
        return trio.current_time() - begun


@asynccontextmanager
async def wire(
    app: Application | None = None,
    *,
    limits: GuardLimits | None = None,
    guarded: bool = True,
    keep_alive: float = 75.0,
    drain: float = 1.0,
    head: float = 10.0,
    admission: AdmissionLimits | None = None,
) -> AsyncIterator[Wire]:
    """Serve an application with our server; stopped at the end."""
    stopping = trio.Event()
    inner: Application = app or application(stopping)
    guard = Guard(inner, limits=limits) if guarded else None
    listeners = open_listeners(["127.0.0.1:0"], backlog=1024, user_timeout=30)
    settings = ServerSettings(
        keep_alive_timeout=keep_alive,
        drain_timeout=drain,
        head_timeout=head,
        admission=admission or AdmissionLimits(),
    )
    server = Server(guard or inner, listeners, settings, None if guard is None or not LANE else lane(guard))
    running = Wire(int(listeners[0].address.rsplit(":", 1)[1]), guard, server, stopping)

    async def run(task_status: trio.TaskStatus[None]) -> None:
        await server.serve(stopping, task_status=task_status)
        running.stopped.set()

    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(run)
            try:
                yield running
            finally:
                stopping.set()
                for client in running.clients:
                    await trio.aclose_forcefully(client)
    finally:
        for listener in listeners:
            listener.close()


@asynccontextmanager
async def plain_hypercorn(
    app: Application, *, keep_alive: float, drain: float
) -> AsyncIterator[tuple[int, trio.Event]]:
    """The control: hypercorn's own `serve`, as it comes. Yields its port and the event that makes it stop."""
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.accesslog = config.errorlog = None
    config.keep_alive_timeout = keep_alive
    config.graceful_timeout = drain
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        binds = await nursery.start(
            lambda task_status: serve(app, config, shutdown_trigger=stop.wait, task_status=task_status)
        )
        try:
            yield int(binds[0].rsplit(":", 1)[1]), stop
        finally:
            stop.set()


async def read_answer(stream: trio.SocketStream) -> bytes:
    """A whole answer with a content-length, or what came until the end of the connection."""
    data = b""
    while True:
        head, found, rest = data.partition(b"\r\n\r\n")
        if found:
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                ),
                None,
            )
            if length is not None and len(rest) >= length:
                return data
        piece = await stream.receive_some(65536)
        if not piece:
            return data
        data += piece


def stuck_reader(port: int, path: bytes) -> socket.socket:
    """A client that asks for a stream and never reads from it."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    return client
