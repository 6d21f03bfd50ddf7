"""Bytes to a peer that does not take them at once."""

import socket

import trio

from router.http.sending import Sent, send


async def _drink(peer: trio.socket.SocketType, wanted: int) -> int:
    taken = 0
    while taken < wanted:
        taken += len(await peer.recv(65536))
        await trio.sleep(0.001)
    return taken


async def test_all_of_it_arrives_however_slowly_it_is_taken() -> None:
    here, there = socket.socketpair()
    here.setblocking(False)
    peer = trio.socket.from_stdlib_socket(there)
    data = bytes(range(256)) * 8000
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_drink, peer, len(data))
        assert await send(here, data, 5) is Sent.ALL
    here.close()
    peer.close()


async def test_a_peer_that_stands_still_is_given_up() -> None:
    here, there = socket.socketpair()
    here.setblocking(False)
    with trio.fail_after(5):
        assert await send(here, b"x" * 10_000_000, 0.1) is Sent.TOO_SLOW
    here.close()
    there.close()


async def test_a_peer_that_goes_is_told_apart_from_a_slow_one() -> None:
    here, there = socket.socketpair()
    here.setblocking(False)
    async with trio.open_nursery() as nursery:

        async def leave() -> None:
            await trio.sleep(0.05)
            there.close()

        nursery.start_soon(leave)
        assert await send(here, b"x" * 10_000_000, 5) is Sent.GONE
    here.close()


async def test_a_socket_that_is_closed_under_it_ends_it() -> None:
    here, there = socket.socketpair()
    here.setblocking(False)
    async with trio.open_nursery() as nursery:

        async def close() -> None:
            await trio.sleep(0.05)
            trio.lowlevel.notify_closing(here)
            here.close()

        nursery.start_soon(close)
        assert await send(here, b"x" * 10_000_000, 5) is Sent.GONE
    there.close()
