"""A reader that never reads must not hold up a stop: hypercorn shields its sends from every cancellation."""

import socket
import ssl
from functools import partial
from pathlib import Path

import trio
import trustme

from router.http.guard import Guard
from router.http.server import Server, ServerSettings
from router.http.sockets import open_listeners
from tests.wire.conftest import application, plain_hypercorn, stuck_reader, wire

FIREHOSE = b"GET /firehose HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_it_is_reset_when_the_drain_is_over() -> None:
    async with wire(drain=0.5) as running:
        with stuck_reader(running.port, b"/firehose"):
            await trio.sleep(0.5)
            with trio.fail_after(10):
                took = await running.stop()
        assert running.server.statistics().aborted == 1
    assert took < 3.0


async def test_it_is_reset_when_the_server_is_cancelled() -> None:
    """The second signal, or a restart of the http actor: no drain, but no hanging either. Without the mend this took
    30 s, until TCP_USER_TIMEOUT."""
    listeners = open_listeners(["127.0.0.1:0"], backlog=16, user_timeout=30)
    server = Server(Guard(application()), listeners, ServerSettings(drain_timeout=30))
    with trio.fail_after(4):
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, trio.Event())
            client = stuck_reader(listeners[0].socket.getsockname()[1], b"/firehose")
            await trio.sleep(0.3)
            nursery.cancel_scope.cancel()
    client.close()
    listeners[0].close()
    assert server.statistics().aborted == 1


async def test_it_is_reset_under_tls(tmp_path: Path) -> None:
    """The way out leads through two layers of sending there."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    (tmp_path / "key").write_bytes(certificate.private_key_pem.bytes())
    (tmp_path / "cert").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    listeners = open_listeners(["127.0.0.1:0"], backlog=16, user_timeout=30, tls=True)
    settings = ServerSettings(drain_timeout=0.3, tls_cert=tmp_path / "cert", tls_key=tmp_path / "key")
    server, stopping = Server(Guard(application()), listeners, settings), trio.Event()
    with trio.fail_after(4):
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, stopping)
            port = listeners[0].socket.getsockname()[1]
            client = await trio.open_ssl_over_tcp_stream("localhost", port, ssl_context=trusting)
            await client.send_all(FIREHOSE)
            await trio.sleep(0.3)
            stopping.set()
    await trio.aclose_forcefully(client)
    listeners[0].close()
    assert server.statistics().aborted == 1


async def test_it_is_dropped_while_the_server_runs() -> None:
    """TCP_USER_TIMEOUT counts a shut window as nothing acknowledged: what a stuck reader takes, it gives back."""
    listeners = open_listeners(["127.0.0.1:0"], backlog=16, user_timeout=0.5)
    server, stopping = Server(Guard(application()), listeners, ServerSettings(drain_timeout=0.1)), trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(server.serve, stopping))
        client = stuck_reader(listeners[0].socket.getsockname()[1], b"/firehose")
        with trio.fail_after(5):
            while not server.statistics().accepted or server.statistics().open:
                await trio.sleep(0.05)
        stopping.set()
    client.close()
    listeners[0].close()
    assert server.statistics().aborted == 0


async def test_without_the_mend_the_stop_hangs() -> None:
    """The control: hypercorn's own serve is still there long after its graceful timeout, until the client leaves."""
    async with plain_hypercorn(application(), keep_alive=75, drain=0.5) as (port, stop):
        client = stuck_reader(port, b"/firehose")
        await trio.sleep(0.5)
        stop.set()
        await trio.sleep(2.5)
        wedged = await _still_connected(client)
        client.close()
    assert wedged


async def _still_connected(client: object) -> bool:
    """Whether the peer has not ended the connection: nothing to read but what it sent before, and no reset."""
    assert isinstance(client, socket.socket)
    state = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    established = 1
    return state == established
