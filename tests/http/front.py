"""A whole front over `below`: both routes on a real socket, in the test's own loop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from router.dialects.launchdarkly import LaunchDarkly
from router.dialects.statsig import Statsig
from router.http.app import create_app
from router.http.guard import Guard, GuardLimits
from router.http.ingest import Ingest
from router.http.lane import Lane
from router.http.server import Server, ServerSettings
from router.http.services import StreamLimits
from router.http.sockets import open_listeners
from router.http.streams import Streams
from tests.http.conftest import Below, below

EVENT = b'[{"kind":"custom","key":"k","creationDate":1,"contextKeys":{"user":"u"}}]'
POST = b"POST /bulk HTTP/1.1\r\nHost: x\r\nAuthorization: sdk-1\r\nContent-Length: %d\r\n\r\n%b" % (len(EVENT), EVENT)
STREAM = b"GET /events?token=api-1 HTTP/1.1\r\nHost: x\r\n\r\n"


class Front:
    """What runs, and its port."""

    def __init__(self, running: Below, lane: Lane, server: Server, port: int) -> None:
        self.below = running
        self.lane = lane
        self.server = server
        self.port = port

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)


@asynccontextmanager
async def front(
    path: Path,
    settings: ServerSettings | None = None,
    *,
    limits: GuardLimits | None = None,
    streams: StreamLimits | None = None,
) -> AsyncIterator[Front]:
    """Serve on a free port of this host."""
    settings = settings or ServerSettings(drain_timeout=1)
    async with below(path, streams=streams) as running:
        services, dialects = running.services, (LaunchDarkly(), Statsig())
        ingest, admitted = Ingest(services), Streams(services)
        guard = Guard(create_app(services, dialects, ingest, admitted), limits=limits)
        lane = Lane(services, dialects, ingest, admitted, guard)
        listeners = open_listeners(["127.0.0.1:0"], backlog=512, user_timeout=30, tls=settings.tls_cert is not None)
        server, stopping = Server(guard, listeners, settings, lane), trio.Event()
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, stopping)
            try:
                yield Front(running, lane, server, int(listeners[0].address.rsplit(":", 1)[1]))
            finally:
                services.drain.begun = True
                running.environments.end_streams()
                stopping.set()
                listeners[0].close()
