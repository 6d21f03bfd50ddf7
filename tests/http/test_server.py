"""The server over TLS and unix sockets; what it does to bad peers is in tests/wire."""

import ssl
from pathlib import Path

import h11
import pytest
import trio
import trustme

from router.http.guard import Guard, Receive, Scope, Send
from router.http.server import PlainProtocol, Server, ServerSettings
from router.http.sockets import open_listeners
from tests.wire.client import converse
from tests.wire.conftest import application, read_answer, stuck_reader, wire

REQUEST = b"POST /size HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"


async def test_a_unix_socket_is_served(tmp_path: Path) -> None:
    listeners = open_listeners([f"unix:{tmp_path}/s"], backlog=16, user_timeout=30)
    server, stopping = Server(Guard(application()), listeners, ServerSettings(drain_timeout=1)), trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, stopping)
        async with await trio.open_unix_socket(f"{tmp_path}/s") as stream:
            await stream.send_all(REQUEST)
            assert (await read_answer(stream)).endswith(b"size=3")
        stopping.set()
    listeners[0].close()


async def test_a_stuck_reader_on_a_unix_socket_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    """Unix sockets have no TCP_USER_TIMEOUT: only the reset underneath helps."""
    listeners = open_listeners([f"unix:{tmp_path}/s"], backlog=16, user_timeout=30)
    server, stopping = Server(Guard(application()), listeners, ServerSettings(drain_timeout=0.3)), trio.Event()
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, stopping)
            stream = await trio.open_unix_socket(f"{tmp_path}/s")
            await stream.send_all(b"GET /firehose HTTP/1.1\r\nHost: x\r\n\r\n")
            await trio.sleep(0.3)
            stopping.set()
        await stream.aclose()
    assert server.statistics().aborted == 1
    listeners[0].close()


async def test_tls_is_served_and_offers_http_1_1_only(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    (tmp_path / "key").write_bytes(certificate.private_key_pem.bytes())
    (tmp_path / "cert").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    client = ssl.create_default_context()
    authority.configure_trust(client)
    client.set_alpn_protocols(["h2", "http/1.1"])
    listeners = open_listeners(["127.0.0.1:0"], backlog=16, user_timeout=30, tls=True)
    settings = ServerSettings(drain_timeout=1, tls_cert=tmp_path / "cert", tls_key=tmp_path / "key")
    server, stopping = Server(Guard(application()), listeners, settings), trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, stopping)
        port = listeners[0].socket.getsockname()[1]
        stream = await trio.open_ssl_over_tcp_stream("localhost", port, ssl_context=client)
        await stream.send_all(REQUEST)
        answer = b""
        while not answer.endswith(b"size=3"):
            answer += await stream.receive_some(65536)
        assert stream.selected_alpn_protocol() == "http/1.1"
        await stream.aclose()
        stopping.set()
    listeners[0].close()


async def test_connections_are_counted() -> None:
    listeners = open_listeners(["127.0.0.1:0"], backlog=16, user_timeout=30)
    server, stopping = Server(Guard(application()), listeners, ServerSettings(drain_timeout=0.2)), trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, stopping)
        with stuck_reader(listeners[0].socket.getsockname()[1], b"/firehose"):
            await trio.sleep(0.2)
            assert (server.statistics().open, server.statistics().accepted) == (1, 1)
            with pytest.raises(AttributeError):
                server.statistics().open = 3  # type: ignore[misc]  # that it cannot be set is the point
            stopping.set()
            await trio.sleep(0.5)
    assert server.statistics().open == 0
    listeners[0].close()


async def test_streams_that_outlive_the_drain_are_closed_not_reset() -> None:
    """A reset drops what the kernel has not sent yet; only who does not go otherwise gets one."""
    listeners = open_listeners(["127.0.0.1:0"], backlog=16, user_timeout=30)
    app = application(trio.Event())
    server, stopping = Server(Guard(app), listeners, ServerSettings(drain_timeout=0.2)), trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, stopping)
        client = await trio.open_tcp_stream("127.0.0.1", listeners[0].socket.getsockname()[1])
        await client.send_all(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        await trio.sleep(0.1)
        stopping.set()
    with trio.fail_after(2):
        while await client.receive_some(65536):
            pass
    await client.aclose()
    assert server.statistics().aborted == 0
    listeners[0].close()


async def test_a_failed_tls_handshake_ends_the_connection(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(tmp_path / "key")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert")
    listeners = open_listeners(["127.0.0.1:0"], backlog=16, user_timeout=30, tls=True)
    settings = ServerSettings(drain_timeout=1, tls_cert=tmp_path / "cert", tls_key=tmp_path / "key")
    server, stopping = Server(Guard(application()), listeners, settings), trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, stopping)
        client = await trio.open_tcp_stream("127.0.0.1", listeners[0].socket.getsockname()[1])
        await client.send_all(REQUEST)
        with trio.fail_after(2):
            while await client.receive_some(65536):
                pass
        await client.aclose()
        assert server.statistics().open == 0
        stopping.set()
    listeners[0].close()


async def test_a_connection_that_fails_is_logged_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception in hypercorn's reading of one request would end all connections, and the restarts of the actor."""
    create = PlainProtocol._create_stream

    async def failing(self: PlainProtocol, request: h11.Request) -> None:
        if request.target == b"/trap":
            raise UnicodeDecodeError("ascii", b"\xff", 0, 1, "a fault that is not ours")
        await create(self, request)

    monkeypatch.setattr(PlainProtocol, "_create_stream", failing)
    async with wire() as running:
        neighbour = await running.connect()
        await neighbour.send_all(b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na")
        answer, ended = await converse(running.port, b"GET /trap HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (answer, ended) == (b"", True)
        await neighbour.send_all(b"bc")
        assert (await read_answer(neighbour)).endswith(b"size=3")
        assert running.server.statistics().failed == 1
    assert "a fault that is not ours" in caplog.text


async def test_what_an_application_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise KeyError("an application's fault")

    async with wire(app) as running:
        answer, _ = await converse(running.port, REQUEST)
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert "an application's fault" in caplog.text
