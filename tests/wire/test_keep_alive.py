"""Idle connections get their timer back after a request: Quart-Trio cancels itself inside hypercorn's bookkeeping."""

import trio

from router.http.server import Server
from tests.wire.conftest import Wire, application, read_answer, wire

CONNECTIONS = 50


async def idle_after_a_request(running: Wire) -> int:
    """How many of the connections are still open long after their idle time has passed."""
    streams = []
    for _ in range(CONNECTIONS):
        stream = await running.connect()
        await stream.send_all(b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        streams.append(stream)
    await trio.sleep(2.0)
    left = running.server.statistics().open
    for stream in streams:
        await stream.aclose()
    return left


async def test_they_are_closed_when_idle() -> None:
    async with wire(keep_alive=0.3) as running:
        assert await idle_after_a_request(running) == 0


async def test_without_the_shield_they_stay_for_ever() -> None:
    async with wire(application(), guarded=False, keep_alive=0.3) as running:
        assert await idle_after_a_request(running) == CONNECTIONS


async def test_a_connection_serves_more_requests_than_hypercorns_default() -> None:
    """Hypercorn closes after 1,000 requests; SDKs that keep a connection for days would see resets."""
    async with wire() as running:
        stream = await running.connect()
        request = b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        for _ in range(1100):
            await stream.send_all(request)
            assert b" 400 " in await read_answer(stream)
        await stream.aclose()
    assert isinstance(running.server, Server)
