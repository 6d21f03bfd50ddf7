"""Bodies in flight are bounded in bytes: what does not fit waits in the sender's TCP."""

import contextlib

import pytest
import trio

from router.http.guard import GuardLimits
from tests.wire.client import converse
from tests.wire.conftest import Wire, read_answer, wire

SIZE = 4_000_000


async def upload(running: Wire, sent: list[int], go: trio.Event) -> bytes:
    """Send a body of `SIZE` bytes but for the last, which is held back until `go`."""
    stream = await running.connect()
    await stream.send_all(b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % SIZE)
    left = SIZE - 1
    while left:
        piece = min(65536, left)
        await stream.send_all(b"\0" * piece)
        left -= piece
        sent[0] += piece
    await go.wait()
    await stream.send_all(b"\0")
    return await read_answer(stream)


async def test_senders_wait_and_all_are_served_in_the_end() -> None:
    limits = GuardLimits(max_in_flight=6_000_000, max_body=5_000_000, body_timeout=20)
    sent, go = [0], trio.Event()
    answers: list[bytes] = []

    async def one(running: Wire) -> None:
        answers.append(await upload(running, sent, go))

    async with wire(limits=limits) as running:
        assert running.guard is not None
        async with trio.open_nursery() as nursery:
            for _ in range(12):
                nursery.start_soon(one, running)
            await trio.sleep(1.5)
            budget = running.guard.statistics().budget
            assert budget.used <= 6_000_000 + 5_000_000
            assert budget.waiting > 0
            assert sent[0] < 12 * SIZE * 0.9, "the rest waits with the senders"
            go.set()
        with trio.fail_after(5):
            while running.guard.statistics().budget.used:
                await trio.sleep(0.01)
    assert len(answers) == 12
    assert all(answer.endswith(b"size=%d" % SIZE) for answer in answers)


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
async def test_an_oversize_body_reaches_the_handler_as_a_fact_not_as_bytes(declared: bool) -> None:
    """The handler answers in its dialect: a 413 from here would switch some SDKs off for good."""
    async with wire(limits=GuardLimits(max_body=100_000)) as running:
        stream = await running.connect()
        size = 300_000
        length = b"Content-Length: %d" % size if declared else b"Transfer-Encoding: chunked"
        await stream.send_all(b"POST /size HTTP/1.1\r\nHost: x\r\n" + length + b"\r\n\r\n")
        if declared:
            await stream.send_all(bytes(size))
        else:
            await stream.send_all(b"%x\r\n" % size + bytes(size) + b"\r\n0\r\n\r\n")
        answer = await read_answer(stream)
        assert running.guard is not None
        assert running.guard.statistics().oversize == 1
        assert running.guard.statistics().budget.peak <= 100_000
    assert b" 200 " in answer.split(b"\r\n")[0]
    assert b"oversize=True" in answer
    assert int(answer.rsplit(b"size=", 1)[1]) <= (0 if declared else 100_000)


async def test_the_answer_to_an_oversize_body_does_not_wait_for_it() -> None:
    """A slow sender of too much hears that it is too much, not that it is too slow: that would make it try again."""
    async with wire(limits=GuardLimits(max_body=1000, body_timeout=20)) as running:
        answer, _ = await converse(running.port, b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\nab")
    assert b"oversize=True" in answer


async def test_a_sender_that_never_ends_is_not_read_for_ever() -> None:
    async with wire(limits=GuardLimits(max_body=100_000, body_timeout=20)) as running:
        stream = await running.connect()
        await stream.send_all(b"POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent = 0
        with trio.fail_after(5), contextlib.suppress(trio.BrokenResourceError):
            while True:
                await stream.send_all(b"10000\r\n" + bytes(65536) + b"\r\n")
                sent += 65536
        assert sent < 40_000_000, "four times the limit, and what the kernel holds"
        assert running.guard is not None
        with trio.fail_after(2):
            while running.guard.statistics().open:
                await trio.sleep(0.01)
