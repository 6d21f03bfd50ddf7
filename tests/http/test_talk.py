"""The fast lane over TLS."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trustme

from router.http.server import ServerSettings
from tests.http.conftest import PRODUCTION
from tests.http.front import POST, STREAM, Front, front
from tests.http.test_subscriber import add
from tests.wire.client import hear, status

Secure = trio.SSLStream[trio.SocketStream]


@asynccontextmanager
async def secured(path: Path, **times: float) -> AsyncIterator[tuple[Front, ssl.SSLContext]]:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    (path / "key").write_bytes(certificate.private_key_pem.bytes())
    (path / "cert").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    client = ssl.create_default_context()
    authority.configure_trust(client)
    settings = ServerSettings(drain_timeout=1, tls_cert=path / "cert", tls_key=path / "key", **times)  # type: ignore[arg-type]
    async with front(path / "data", settings) as served:
        yield served, client


async def connect(served: Front, client: ssl.SSLContext) -> Secure:
    return trio.SSLStream(await served.connect(), client, server_hostname="localhost", https_compatible=True)


async def test_posts_are_answered_and_a_stream_follows_them(tmp_path: Path) -> None:
    async with secured(tmp_path) as (served, client):
        posting, reading = await connect(served, client), await connect(served, client)
        await reading.send_all(STREAM)
        assert status((await hear(reading))[0]) == 200
        await posting.send_all(POST + POST[:50])
        assert status((await hear(posting))[0]) == 202
        await posting.send_all(POST[50:])
        assert status((await hear(posting))[0]) == 202
        heard = (await hear(reading))[0]
        assert heard.count(b"data: ") == 2
        assert served.lane.statistics().requests == 2
        assert served.lane.statistics().streams == 1
        assert served.lane.statistics().handed == 0
        await reading.aclose()
        with trio.fail_after(5):
            while served.lane.streams.open:
                await trio.sleep(0.01)
        await posting.aclose()


async def test_what_is_not_for_it_goes_to_the_plain_route_over_the_same_connection(tmp_path: Path) -> None:
    async with secured(tmp_path) as (served, client):
        stream = await connect(served, client)
        await stream.send_all(POST + b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        answers = (await hear(stream))[0]
        assert [int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:]] == [202, 200]
        assert served.lane.statistics().handed == 1
        await stream.aclose()


async def test_chunked_bodies_and_slow_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.http.talk.PATIENCE", 0.1)
    chunked = b"POST /bulk HTTP/1.1\r\nHost: x\r\nAuthorization: sdk-1\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with secured(tmp_path) as (served, client):
        stream = await connect(served, client)
        await stream.send_all(chunked + b"2\r\n[]\r\n0\r\n\r\n")
        assert status((await hear(stream))[0]) == 202
        await stream.send_all(POST[:-5])
        with trio.fail_after(5):
            while not served.lane.statistics().handed:
                await trio.sleep(0.01)
        await stream.send_all(POST[-5:])
        assert status((await hear(stream))[0]) == 202
        assert served.lane.guard.budget.statistics().used == 0
        await stream.aclose()


async def test_an_idle_connection_ends(tmp_path: Path) -> None:
    async with secured(tmp_path, keep_alive_timeout=0.2, head_timeout=0.1) as (served, client):
        stream = await connect(served, client)
        await stream.do_handshake()
        with trio.fail_after(5):
            assert await stream.receive_some() == b""
        assert served.below.environments[PRODUCTION].watermark.end == 0
        await stream.aclose()


async def test_a_reader_that_takes_nothing_is_cut(tmp_path: Path) -> None:
    async with secured(tmp_path, write_timeout=0.3) as (served, client):
        stream = await connect(served, client)
        await stream.send_all(STREAM)
        await hear(stream)
        with trio.fail_after(60):
            while served.server.statistics().open:
                await add(served, 2000, times=2)
        assert served.server.statistics().cut == 1
        await trio.aclose_forcefully(stream)
