"""An early refusal to an upload with more to come does not leak its socket."""

import contextlib
import os
import socket

import trio

from tests.wire.conftest import application, plain_hypercorn, wire

SIZE = 20_000_000


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def refused_upload(port: int) -> None:
    """Send a large body to a route that refuses without reading it."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(2)
        with contextlib.suppress(OSError):
            client.sendall(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % SIZE)
            sent = 0
            while sent < SIZE:
                sent += client.send(bytes(65536))
        with contextlib.suppress(OSError):
            client.recv(65536)


async def refused_uploads(port: int) -> int:
    """How many descriptors are left after ten such uploads."""
    before = descriptors()
    for _ in range(10):
        await trio.to_thread.run_sync(refused_upload, port)
    await trio.sleep(1.5)
    return descriptors() - before


async def test_no_socket_is_left() -> None:
    async with wire(keep_alive=0.3) as running:
        assert await refused_uploads(running.port) <= 0


async def test_without_our_guard_and_server_sockets_are_left() -> None:
    async with plain_hypercorn(application(), keep_alive=0.3, drain=0.3) as (port, _):
        assert await refused_uploads(port) > 0
