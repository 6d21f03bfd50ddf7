"""Connections off a listening socket."""

import resource
import socket
from pathlib import Path

import pytest
import trio

from router.http.acceptor import accept


async def test_connections_arrive_with_the_address_of_their_peer(tmp_path: Path) -> None:
    arrived: list[tuple[socket.socket, str]] = []
    seen = trio.Event()

    def note(opened: socket.socket, address: str) -> None:
        arrived.append((opened, address))
        if len(arrived) == 2:
            seen.set()

    with socket.socket() as inet, socket.socket(socket.AF_UNIX) as unix:
        inet.bind(("127.0.0.1", 0))
        unix.bind(str(tmp_path / "s"))
        inet.listen()
        unix.listen()
        async with trio.open_nursery() as nursery:
            for listening in (inet, unix):
                await nursery.start(accept, listening, note)
            clients = [
                await trio.open_tcp_stream("127.0.0.1", inet.getsockname()[1]),
                await trio.open_unix_socket(tmp_path / "s"),
            ]
            with trio.fail_after(5):
                await seen.wait()
            nursery.cancel_scope.cancel()
    assert {address for _, address in arrived} == {"127.0.0.1", ""}
    for opened, _ in arrived:
        assert not opened.getblocking()
        opened.close()
    for client in clients:
        await client.aclose()


async def test_without_descriptors_it_waits_until_there_are_some(caplog: pytest.LogCaptureFixture) -> None:
    arrived: list[socket.socket] = []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        client = socket.socket()
        async with trio.open_nursery() as nursery:
            await nursery.start(accept, listening, lambda opened, _address: arrived.append(opened))
            await trio.lowlevel.checkpoint()
            spare = client.fileno()
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (spare + 1, hard))
                await trio.to_thread.run_sync(client.connect, listening.getsockname())
                with trio.fail_after(5):
                    while "no connection can be accepted" not in caplog.text:
                        await trio.sleep(0.01)
                assert arrived == []
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            with trio.fail_after(5):
                while not arrived:
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
        client.close()
    arrived[0].close()
