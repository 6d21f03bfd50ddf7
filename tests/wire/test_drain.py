"""A stop is quick when everybody is: streams end by themselves and idle connections are closed."""

import trio

from tests.wire.conftest import read_answer, wire


async def test_streams_that_end_by_themselves_end_cleanly_and_at_once() -> None:
    async with wire(drain=5) as running:
        stream = await running.connect()
        await stream.send_all(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        await stream.receive_some(65536)
        took = await running.stop()
        data = await read_answer(stream)
    assert data.endswith(b"0\r\n\r\n"), "the chunked body is ended, not cut"
    assert took < 1.0


async def test_an_idle_connection_does_not_hold_up_the_stop() -> None:
    async with wire(drain=5) as running:
        stream = await running.connect()
        await stream.send_all(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        await read_answer(stream)
        assert await running.stop() < 1.0


async def test_a_request_in_flight_is_finished() -> None:
    async with wire(drain=5) as running:
        stream = await running.connect()
        await stream.send_all(b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
        await trio.sleep(0.1)
        running.stopping.set()
        await trio.sleep(0.1)
        await stream.send_all(b"cde")
        assert (await read_answer(stream)).endswith(b"size=5")


async def test_the_next_incarnation_serves_on_the_same_address() -> None:
    """The http actor may be restarted: connections wait in the backlog in between, none is refused."""
    from functools import partial

    async with wire() as running:
        await running.stop()
        waiting = await running.connect()
        await waiting.send_all(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        again = trio.Event()
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(running.server.serve, again))
            assert b" 400 " in await read_answer(waiting)
            again.set()


async def test_a_connection_accepted_as_the_drain_begins_does_not_hold_it_up() -> None:
    """A reader whose stream has just ended is back before the listener is closed."""
    async with wire(drain=5) as running:
        for _ in range(20):
            running.clients.append(await trio.open_tcp_stream("127.0.0.1", running.port))
        assert await running.stop() < 1.5


async def test_a_connection_whose_last_request_ends_in_the_drain_does_not_hold_it_up() -> None:
    """Hypercorn closes it, and leaves its reading task waiting for a turn that never comes."""
    async with wire(drain=5) as running:
        streams = [await running.connect() for _ in range(10)]
        for stream in streams:
            await stream.send_all(b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
        await trio.sleep(0.1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_finish, streams)
            assert await running.stop() < 2.0


async def _finish(streams: list[trio.SocketStream]) -> None:
    await trio.sleep(0.3)
    for stream in streams:
        await stream.send_all(b"b")
        assert (await read_answer(stream)).endswith(b"size=2")
