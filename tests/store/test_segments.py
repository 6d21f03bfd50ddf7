"""Marks of a log's size: where a cut for so many bytes is, before and after a restart."""

from hypothesis import given, settings
from hypothesis import strategies as st

from router.store.engine import Batch, Engine
from router.store.segments import SEGMENT, Segments
from tests.store.conftest import Disk

SIZE = SEGMENT // 4


def grown(engine: Engine, entries: int, number: int = 99) -> Segments:
    """Segments of a log of so many entries of a quarter of a segment, each of one event."""
    segments = Segments(engine, number)
    for offset in range(entries):
        batch = Batch()
        segments.stage(batch, offset, SIZE)
        engine.write(batch)
        segments.advance()
    return segments


def test_a_cut_leaves_at_most_what_was_asked_for(disk: Disk) -> None:
    segments = grown(disk.engine, 40)

    assert segments.total == segments.size(0) == 10 * SEGMENT
    assert segments.cut(10 * SEGMENT) == 0
    for most in range(SEGMENT, 10 * SEGMENT, SEGMENT // 2):
        low = segments.cut(most)
        assert segments.size(low) <= most
        assert segments.size(low) > most - SEGMENT, "no more than a segment too much is cut"


def test_marks_survive_a_restart_and_a_trim(disk: Disk) -> None:
    segments = grown(disk.engine, 40)
    low = segments.cut(3 * SEGMENT)
    batch = Batch()
    segments.trim(batch, low)
    disk.engine.write(batch)
    segments.trimmed(low)

    again = Segments(disk.engine, 99)
    again.add(SIZE * (40 - again.last[0]))

    assert again.total == segments.total == 10 * SEGMENT
    assert again.size(low) == segments.size(low) == 3 * SEGMENT
    assert again.cut(SEGMENT) == segments.cut(SEGMENT)


def test_what_was_not_written_is_not_counted(disk: Disk) -> None:
    segments = grown(disk.engine, 4)
    segments.stage(Batch(), 4, SEGMENT * 3)
    segments.retract()

    assert segments.total == SEGMENT


def test_two_logs_do_not_see_each_others_marks(disk: Disk) -> None:
    grown(disk.engine, 8, number=7)

    assert Segments(disk.engine, 8).total == 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 2 * SEGMENT), max_size=30), st.integers(0, 20 * SEGMENT))
def test_any_sizes(sizes: list[int], most: int) -> None:
    class Nowhere:
        def family(self, _name: str) -> "Nowhere":
            return self

        def scan(self, *_bounds: bytes) -> list[tuple[bytes, bytes]]:
            return []

    class Lost(Batch):
        def put(self, *_row: object) -> None:
            pass

    segments = Segments(Nowhere(), 1)  # type: ignore[arg-type]
    for offset, size in enumerate(sizes):
        segments.stage(Lost(), offset, size)
        segments.advance()
    low = segments.cut(most)

    assert segments.total == sum(sizes)
    kept = sum(sizes[low:])
    assert kept <= most or low == segments.last[0], "only the newest segment may be larger than the limit"
