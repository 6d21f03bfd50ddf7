"""A reader gets every durable event once, in order, whatever is written and whenever it is interrupted."""

import trio
from trio.testing import wait_all_tasks_blocked

from router.pipeline.subscription import CHUNK_BYTES, Chunk, Gap, Subscription
from router.records import Event
from router.store.engine import Batch
from router.store.log import Stored
from tests.pipeline.conftest import Bench, body


def encode(cursor: str, _stored: Stored, event: Event) -> bytes:
    return f"{cursor.split('-')[1]}:{event.name} ".encode()


def append(bench: Bench, count: int, *, payload: bytes | None = None) -> None:
    batch = Batch()
    bench.log.stage(batch, 1, payload or body(count), count)
    bench.engine.write(batch)
    bench.log.advance(1)
    bench.watermark.advance(bench.log.head)


async def take(subscription: Subscription, count: int) -> list[int]:
    """Offsets of the next `count` events."""
    found: list[int] = []
    while len(found) < count:
        step = await subscription.next()
        assert isinstance(step, Chunk)
        found.extend(int(part.split(b":")[0]) for part in step.data.split())
    return found


async def test_everything_from_the_offset_comes_in_one_piece(bench: Bench) -> None:
    append(bench, 3)
    append(bench, 2)
    step = await Subscription(bench.log, bench.watermark, 1, encode).next()

    assert step == Chunk(b"1:n1 2:n2 3:n0 4:n1 ", 4)


async def test_a_reader_at_the_head_waits_and_is_woken(bench: Bench) -> None:
    append(bench, 1)
    subscription = Subscription(bench.log, bench.watermark, 1, encode)
    steps: list[object] = []

    async def read() -> None:
        steps.append(await subscription.next())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        assert steps == []
        append(bench, 1)
    assert steps == [Chunk(b"1:n0 ", 1)]
    assert subscription.statistics().lag == 0
    assert str(subscription.cursor) == f"{bench.log.epoch}-1"


async def test_what_is_written_but_not_durable_is_not_handed_out(bench: Bench) -> None:
    append(bench, 1)
    batch = Batch()
    bench.log.stage(batch, 1, body(5), 5)
    bench.engine.write(batch)
    bench.log.advance(1)

    assert await take(Subscription(bench.log, bench.watermark, 0, encode), 1) == [0]


async def test_a_long_way_back_is_read_in_bounded_pieces(bench: Bench) -> None:
    for _ in range(40):
        append(bench, 500)
    subscription = Subscription(bench.log, bench.watermark, 0, lambda *_: b"x" * 100)
    sizes = []
    while subscription.offset < 20_000:
        step = await subscription.next()
        assert isinstance(step, Chunk)
        sizes.append(len(step.data))
    assert sum(sizes) == 20_000 * 100
    assert max(sizes) <= CHUNK_BYTES + 500 * 100


async def test_an_interrupted_wait_loses_nothing(bench: Bench) -> None:
    """A heartbeat cancels the wait at any moment: no event may be read and then dropped."""
    for _ in range(20):
        append(bench, 3)
    subscription = Subscription(bench.log, bench.watermark, 0, encode)
    found: list[int] = []
    while len(found) < 60:
        with trio.CancelScope() as scope:
            scope.cancel()
            await subscription.next()
        assert scope.cancelled_caught
        found.extend(await take(subscription, 1))
    assert found == list(range(60))


async def test_a_reader_that_fell_out_of_retention_is_told_what_it_lost(bench: Bench) -> None:
    append(bench, 3)
    append(bench, 2)
    bench.log.row = bench.log.row.__class__(bench.log.row.number, bench.log.row.epoch, 3)
    subscription = Subscription(bench.log, bench.watermark, 1, encode)

    assert await subscription.next() == Gap(1, 2)
    assert Gap(1, 2).lost == 2
    assert await take(subscription, 2) == [3, 4]
    assert subscription.statistics().gaps == 1


async def test_a_closed_watermark_ends_the_stream_after_what_is_durable(bench: Bench) -> None:
    append(bench, 1)
    bench.watermark.close()
    subscription = Subscription(bench.log, bench.watermark, 0, encode)

    assert await take(subscription, 1) == [0]
    assert await subscription.next() is None
