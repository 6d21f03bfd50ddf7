"""A reader gets every durable event once, in order, whatever is written and whenever it is interrupted."""

from math import inf

import trio
from trio.testing import wait_all_tasks_blocked

from router.names import EnvironmentName
from router.pipeline.filters import EVERYTHING, Filter
from router.pipeline.frames import Format
from router.pipeline.subscription import CHUNK_BYTES, Chunk, Gap, Subscription
from router.pipeline.tail import Tail
from router.records import Entry, Event
from router.store.engine import Batch
from router.store.log import key_of
from tests.pipeline.conftest import Bench, body


def encode(_name: EnvironmentName, cursor: str, _entry: Entry, event: Event) -> bytes:
    return f"{cursor.rpartition('-')[2]}:{event.name} ".encode()


STYLE = Format("test", encode)


def reader(bench: Bench, offset: int, wanted: Filter = EVERYTHING, until: float = inf) -> Subscription:
    tail = Tail(bench.log, bench.watermark)
    return Subscription(bench.log, bench.watermark, tail, offset, wanted=wanted, style=STYLE, until=until)


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
    step = await reader(bench, 1).next()

    assert step == Chunk(b"1:n1 2:n2 3:n0 4:n1 ", 4)


async def test_a_reader_at_the_head_waits_and_is_woken(bench: Bench) -> None:
    append(bench, 1)
    subscription = reader(bench, 1)
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

    assert await take(reader(bench, 0), 1) == [0]


async def test_a_long_way_back_is_read_in_bounded_pieces(bench: Bench) -> None:
    for _ in range(40):
        append(bench, 500)
    subscription = Subscription(
        bench.log, bench.watermark, Tail(bench.log, bench.watermark), 0, style=Format("x", lambda *_: b"x" * 100)
    )
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
    subscription = reader(bench, 0)
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
    subscription = reader(bench, 1)

    assert await subscription.next() == Gap(1, 2)
    assert Gap(1, 2).lost == 2
    assert await take(subscription, 2) == [3, 4]
    assert subscription.statistics().gaps == 1


async def test_a_closed_watermark_ends_the_stream_after_what_is_durable(bench: Bench) -> None:
    append(bench, 1)
    bench.watermark.close()
    subscription = reader(bench, 0)

    assert await take(subscription, 1) == [0]
    assert await subscription.next() is None


async def test_a_filter_hands_out_what_it_wants_and_passes_over_the_rest(bench: Bench) -> None:
    append(bench, 4)
    append(bench, 4)
    some = reader(bench, 1, Filter(names=frozenset({"n0", "n2"})))

    assert await some.next() == Chunk(b"2:n2 4:n0 6:n2 ", 3)
    assert some.offset == 8
    none = reader(bench, 0, Filter(kinds=frozenset({"summary"})))
    assert await none.next() == Chunk(b"", 0)
    assert none.offset == 8


async def test_a_reader_stops_before_the_offset_it_was_given(bench: Bench) -> None:
    append(bench, 4)
    append(bench, 4)
    some = reader(bench, 1, until=6)

    assert await some.next() == Chunk(b"1:n1 2:n2 3:n3 4:n0 5:n1 ", 5)
    assert await some.next() is None


async def test_readers_at_the_same_place_share_what_is_made(bench: Bench) -> None:
    append(bench, 3)
    made: list[str] = []

    def count(_name: EnvironmentName, cursor: str, _entry: Entry, _event: Event) -> bytes:
        made.append(cursor)
        return b"x"

    tail, style = Tail(bench.log, bench.watermark), Format("counted", count)
    for _ in range(5):
        assert await Subscription(bench.log, bench.watermark, tail, 0, style=style).next() == Chunk(b"xxx", 3)
        wanted = Filter(kinds=frozenset({"custom"}))
        one = Subscription(bench.log, bench.watermark, tail, 2, style=style, wanted=wanted)
        assert await one.next() == Chunk(b"x", 1)
    assert len(made) <= 4


async def test_what_stands_before_and_behind_damage_is_handed_out_and_the_damage_is_a_gap(bench: Bench) -> None:
    """Also near the head, where the tail is shared, and by a reader that comes later."""
    for _ in range(4):
        append(bench, 2)
    batch = Batch()
    batch.delete(bench.engine.family(bench.log.row.family), key_of(4))
    bench.engine.write(batch)
    tail = Tail(bench.log, bench.watermark)
    for _ in range(2):
        some = Subscription(bench.log, bench.watermark, tail, 1, style=STYLE)
        assert [await some.next() for _ in range(3)] == [
            Chunk(b"1:n1 2:n0 3:n1 ", 3),
            Gap(4, 5, "damage"),
            Chunk(b"6:n0 7:n1 ", 2),
        ]
        assert some.offset == 8
