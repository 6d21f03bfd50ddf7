"""The shared tail gives what the log gives, whatever it holds, and stays within its bound."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from router.pipeline.frames import RAW
from router.pipeline.tail import NEAR, Tail
from router.records import Event, pack_body
from router.store.engine import Batch
from tests.pipeline.conftest import Bench


def append(bench: Bench, count: int, size: int = 10) -> None:
    batch = Batch()
    events = [Event("custom", 1, str(bench.log.head + n), (), (), None, b"x" * size) for n in range(count)]
    bench.log.stage(batch, 1, pack_body("d", "e", {}, events), count)
    bench.engine.write(batch)
    bench.log.advance(1)
    bench.watermark.advance(bench.log.head)


def names(tail: Tail, offset: int, end: int) -> list[int]:
    return [int(event.name) for piece in tail.pieces(offset, end) for event in piece.stored.entry.events]


def test_entries_come_from_the_one_that_holds_the_offset(bench: Bench) -> None:
    tail = Tail(bench.log, bench.watermark)
    append(bench, 3)
    append(bench, 3)
    assert names(tail, 1, 6) == list(range(6))
    assert names(tail, 4, 6) == [3, 4, 5]
    append(bench, 2)
    assert names(tail, 6, 8) == [6, 7]
    assert tail.statistics().hits == 3
    assert tail.statistics().pieces == 3


def test_what_is_far_behind_is_read_from_the_log_and_not_kept(bench: Bench) -> None:
    tail = Tail(bench.log, bench.watermark)
    append(bench, NEAR + 1)
    append(bench, 1)

    assert names(tail, 0, NEAR + 2) == list(range(NEAR + 2))
    assert tail.statistics().pieces == 0
    assert tail.statistics().misses == 1


def test_no_more_is_kept_than_its_bound(bench: Bench) -> None:
    tail = Tail(bench.log, bench.watermark, most=1000)
    for _ in range(50):
        append(bench, 1, 100)
        names(tail, bench.log.head - 1, bench.log.head)

    assert tail.statistics().bytes <= 1000
    assert names(tail, 0, 50) == list(range(50)), "what it does not hold any more is still read"


def test_a_frame_is_made_once_alone_or_joined(bench: Bench) -> None:
    tail = Tail(bench.log, bench.watermark)
    append(bench, 3)
    [piece] = tail.pieces(0, 3)

    assert piece.joined(RAW) == b"".join(piece.frame(RAW, offset) for offset in range(3))
    assert piece.frame(RAW, 1) is piece.frame(RAW, 1)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_order_of_appending_and_reading(data: st.DataObject) -> None:

    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder) / "db")
        tail = Tail(bench.log, bench.watermark, most=60)
        for _ in range(data.draw(st.integers(1, 12))):
            append(bench, data.draw(st.integers(1, 4)))
            offset = data.draw(st.integers(0, bench.log.head - 1))
            found = [name for name in names(tail, offset, bench.log.head) if name >= offset]
            assert found == list(range(offset, bench.log.head))
        bench.engine.close()
