"""Connections of the plain route before their first byte: no task, an end, and a hand-over."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
import trustme
from trio.testing import wait_all_tasks_blocked

from router.http.admission import AdmissionLimits
from router.http.guard import Guard
from router.http.server import Server, ServerSettings
from router.http.sockets import open_listeners
from tests.wire.client import status
from tests.wire.conftest import application, read_answer

REQUEST = b"POST /size HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"


@dataclass(frozen=True, slots=True)
class Served:
    """A server without a lane, its port, and what stops it."""

    server: Server
    port: int
    stopping: trio.Event

    async def connect(self) -> trio.SocketStream:
        """A connection that the server has accepted."""
        before = self.server.statistics().accepted
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        with trio.fail_after(5):
            while self.server.statistics().accepted == before:
                await trio.sleep(0.005)
        return stream

    async def emptied(self) -> None:
        with trio.fail_after(5):
            while self.server.statistics().open:
                await trio.sleep(0.01)


@asynccontextmanager
async def plain(settings: ServerSettings) -> AsyncIterator[Served]:
    listeners = open_listeners(["127.0.0.1:0"], backlog=64, user_timeout=30, tls=settings.tls_cert is not None)
    server, stopping = Server(Guard(application()), listeners, settings), trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, stopping)
        yield Served(server, int(listeners[0].address.rsplit(":", 1)[1]), stopping)
        stopping.set()
    listeners[0].close()


def tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


async def test_who_says_nothing_takes_no_task_and_is_served_when_it_speaks() -> None:
    async with plain(ServerSettings(drain_timeout=1)) as served:
        async with await served.connect() as first:  # what a first connection makes stays
            await first.send_all(REQUEST)
            await read_answer(first)
        await served.emptied()
        await wait_all_tasks_blocked(0.05)
        before = tasks()
        streams = [await served.connect() for _ in range(20)]
        await wait_all_tasks_blocked(0.05)
        assert tasks() == before
        assert served.server.statistics().open == 20
        assert served.server.statistics().reactor.watched == 20
        for stream in streams:
            await stream.send_all(REQUEST[:20])
            await trio.sleep(0.001)
            await stream.send_all(REQUEST[20:])
            answer = await read_answer(stream)
            assert status(answer) == 200
            assert answer.endswith(b"size=3")
        assert served.server.statistics().reactor.watched == 0
        for stream in streams:
            await stream.aclose()
        await served.emptied()


async def test_who_says_nothing_for_too_long_is_let_go() -> None:
    async with plain(ServerSettings(drain_timeout=1, keep_alive_timeout=0.3)) as served:
        begun = trio.current_time()
        async with await served.connect() as stream:
            with trio.fail_after(5):
                assert await stream.receive_some() == b""
            assert trio.current_time() - begun > 0.25
        assert served.server.statistics().reactor.waiting == 0


async def test_under_tls_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.http.server.HANDSHAKE_TIMEOUT", 1.0)
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    (tmp_path / "key").write_bytes(certificate.private_key_pem.bytes())
    (tmp_path / "cert").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    client = ssl.create_default_context()
    authority.configure_trust(client)
    settings = ServerSettings(drain_timeout=1, tls_cert=tmp_path / "cert", tls_key=tmp_path / "key")
    async with plain(settings) as served:
        await wait_all_tasks_blocked(0.05)
        before = tasks()
        mute, spoken = await served.connect(), await served.connect()
        await wait_all_tasks_blocked(0.05)
        assert tasks() == before
        stream = trio.SSLStream(spoken, client, server_hostname="localhost", https_compatible=True)
        await stream.send_all(REQUEST)
        answer = b""
        while not answer.endswith(b"size=3"):
            answer += await stream.receive_some(65536)
        with trio.fail_after(5):
            assert await mute.receive_some() == b""
        await mute.aclose()
        await stream.aclose()
        await served.emptied()


async def test_who_goes_without_a_word_is_gone() -> None:
    """A load balancer's look whether somebody listens, and one that ends with a reset."""
    async with plain(ServerSettings(drain_timeout=1)) as served:
        polite, rude = await served.connect(), await served.connect()
        await polite.aclose()
        rude.socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await trio.aclose_forcefully(rude)
        await served.emptied()
        assert served.server.statistics().failed == 0
        assert served.server.statistics().reactor.watched == 0


async def test_it_makes_room_for_who_comes_when_all_is_full() -> None:
    settings = ServerSettings(drain_timeout=1, admission=AdmissionLimits(max_connections=2))
    async with plain(settings) as served:
        mute = [await served.connect() for _ in range(2)]
        async with await served.connect() as stream:
            await stream.send_all(REQUEST)
            assert status(await read_answer(stream)) == 200
        assert served.server.statistics().evicted == 1
        assert await mute[0].receive_some() == b""
        for each in mute:
            await each.aclose()


async def test_a_drain_waits_for_a_moment_only() -> None:
    async with plain(ServerSettings(drain_timeout=10)) as served:
        mute, late = await served.connect(), await served.connect()
        begun = trio.current_time()
        served.stopping.set()
        await trio.sleep(0.02)
        await late.send_all(REQUEST)
        assert status(await read_answer(late)) == 200
        assert await mute.receive_some() == b""
        assert trio.current_time() - begun < 5
        assert served.server.statistics().aborted == 0
        for each in (mute, late):
            await each.aclose()
