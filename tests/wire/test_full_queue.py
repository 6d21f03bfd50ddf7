"""An answer that comes before the end of its request must get out, also when nobody reads the request any more.

Hypercorn ends an answer by putting a message into the queue that the body comes by. When the queue is full and its
reader gone, that waits for ever, and shielded as it must be, no stop ends it.
"""

import contextlib

import trio
from quart import request
from quart_trio import QuartTrio

from router.http.guard import GuardLimits
from tests.wire.client import hear, status
from tests.wire.conftest import application, wire

SIZE = 4_000_000
# One body takes the whole budget, so that the others wait for room, with the queue full behind them.
LIMITS = GuardLimits(max_in_flight=100_000, max_body=5_000_000, body_timeout=0.5)


def holding(until: trio.Event) -> QuartTrio:
    """The application, with a route that keeps a body until it is told to let go."""
    app = application()

    @app.route("/hold", methods=["POST"])
    async def hold() -> str:
        await request.get_data()
        await until.wait()
        return "held"

    return app


async def push(stream: trio.SocketStream, path: bytes) -> None:
    """Send a body for as long as it is taken."""
    await stream.send_all(b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % SIZE)
    with trio.move_on_after(0.3), contextlib.suppress(trio.BrokenResourceError):
        await stream.send_all(bytes(SIZE))


async def test_a_request_that_finds_no_room_gets_503_and_its_connection_ends() -> None:
    release = trio.Event()
    async with wire(holding(release), limits=LIMITS, drain=0.3) as running:
        holder, waiter = await running.connect(), await running.connect()
        await holder.send_all(b"POST /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + bytes(200_000))
        await trio.sleep(0.1)
        await push(waiter, b"/size")
        await trio.sleep(0.5)
        answer, _ = await hear(waiter)
        assert status(answer) == 503
        await waiter.aclose()
        with trio.fail_after(3):
            while running.server.statistics().open > 1:
                await trio.sleep(0.01)
        release.set()


async def test_a_stop_ends_an_early_answer_behind_which_nobody_reads() -> None:
    """The handler answers at once; what feeds it the body waits for room, and is cancelled there."""
    release = trio.Event()
    async with wire(holding(release), limits=LIMITS, drain=0.3) as running:
        holder, early = await running.connect(), await running.connect()
        await holder.send_all(b"POST /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + bytes(200_000))
        await trio.sleep(0.1)
        await push(early, b"/early")
        with trio.fail_after(4):
            await running.stop()


async def test_an_early_answer_is_read_before_the_connection_ends() -> None:
    """A server that closes on a sender resets the connection, and the answer may be lost with it (RFC 9112, 9.6)."""
    async with wire() as running:
        stream = await running.connect()
        await stream.send_all(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % SIZE)
        with trio.fail_after(5):
            for _ in range(SIZE // 50_000):
                await stream.send_all(bytes(50_000))
        answer, ended = await hear(stream)
        assert status(answer) == 400
        assert not ended, "the body was read to its end: the connection is good for another request"
        await stream.send_all(b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na")
        answer, _ = await hear(stream)
        assert answer.endswith(b"size=1")
