"""Idle connections get their timer back after a request: Quart-Trio cancels itself inside hypercorn's bookkeeping."""

import trio

from tests.wire.conftest import application, plain_hypercorn, read_answer, wire

CONNECTIONS = 50


async def idle_after_a_request(port: int) -> int:
    """How many connections are still open long after their idle time has passed."""
    streams = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(CONNECTIONS)]
    for stream in streams:
        await stream.send_all(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        await read_answer(stream)
    await trio.sleep(1.5)
    left = 0
    for stream in streams:
        with trio.move_on_after(0.01) as waiting:
            await stream.receive_some(1)
        left += waiting.cancelled_caught
        await stream.aclose()
    return left


async def test_they_are_closed_when_idle() -> None:
    async with wire(keep_alive=0.3) as running:
        assert await idle_after_a_request(running.port) == 0


async def test_under_plain_hypercorn_they_stay_for_ever() -> None:
    """The control: Quart-Trio without guard under hypercorn's own serve."""
    async with plain_hypercorn(application(), keep_alive=0.3, drain=0.1) as (port, _stop):
        assert await idle_after_a_request(port) > CONNECTIONS // 2


async def test_a_connection_that_never_asks_is_closed_too() -> None:
    async with wire(keep_alive=0.3) as running:
        silent = await running.connect()
        with trio.fail_after(2):
            assert await silent.receive_some(1) == b""


async def test_a_request_in_progress_is_not_idle() -> None:
    async with wire(keep_alive=0.3) as running:
        stream = await running.connect()
        await stream.send_all(b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
        await trio.sleep(0.8)
        await stream.send_all(b"cd")
        assert (await read_answer(stream)).endswith(b"size=4")


async def test_a_connection_serves_more_requests_than_hypercorns_default() -> None:
    """Hypercorn closes after 1,000 requests; SDKs that keep a connection for days would see resets."""
    async with wire() as running:
        stream = await running.connect()
        request = b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        for _ in range(1100):
            await stream.send_all(request)
            assert b" 400 " in await read_answer(stream)
        await stream.aclose()
