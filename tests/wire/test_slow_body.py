"""A body that trickles in is cut with an answer that makes an SDK try again."""

import trio

from router.http.guard import GuardLimits
from tests.wire.conftest import read_answer, wire


async def test_it_gets_503_and_a_time_to_come_back() -> None:
    async with wire(limits=GuardLimits(body_timeout=0.5)) as running:
        stream = await running.connect()
        await stream.send_all(b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_drip, stream)
                answer = await read_answer(stream)
                nursery.cancel_scope.cancel()
        assert running.guard is not None
        assert running.guard.statistics().slow == 1
    head = answer.split(b"\r\n\r\n")[0].lower()
    assert b" 503" in head.split(b"\r\n")[0]
    assert b"retry-after: 1" in head
    assert b"connection: close" in head
    assert b'"success":false' in answer


async def _drip(stream: trio.SocketStream) -> None:
    while True:
        await trio.sleep(0.1)
        try:
            await stream.send_all(b"x")
        except trio.BrokenResourceError:
            return


async def test_a_long_answer_is_not_a_slow_body() -> None:
    async with wire(limits=GuardLimits(body_timeout=0.3)) as running:
        stream = await running.connect()
        await stream.send_all(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        seen = b""
        with trio.move_on_after(1.0):
            while True:
                seen += await stream.receive_some(65536)
        assert seen.count(b":\n\n") > 10
        await stream.aclose()
