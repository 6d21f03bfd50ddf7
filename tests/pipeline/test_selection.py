"""Selections: every wanted event of a span is in exactly one, and halves make up the whole."""

from hypothesis import given
from hypothesis import strategies as st

from router.pipeline.selection import Selection, newest, select
from router.records import Entry, Event
from router.store.engine import Batch
from tests.pipeline.conftest import Bench, body
from tests.pipeline.entries import entry, selection


def all_wanted(_entry: Entry, _event: Event) -> bool:
    return True


def fill(bench: Bench, *sizes: int) -> None:
    batch = Batch()
    for size in sizes:
        bench.log.stage(batch, 1, body(size), size)
    bench.engine.write(batch)
    bench.log.advance(1)


def offsets(chosen: Selection) -> list[int]:
    return [offset for piece in chosen.slices for offset, _ in piece.events]


def test_selections_cover_a_span_in_order(bench: Bench) -> None:
    fill(bench, 3, 1, 5, 2)
    found, first = list[int](), 0
    while first < 11:
        chosen = select(bench.log, (first, 11), all_wanted, entries=2, size=10**6)
        found += offsets(chosen)
        assert chosen.span[0] == first
        first = chosen.span[1]
    assert found == list(range(11))


def test_it_begins_and_ends_in_the_middle_of_an_entry(bench: Bench) -> None:
    fill(bench, 5, 5)
    chosen = select(bench.log, (2, 8), all_wanted, entries=9, size=10**6)
    assert (offsets(chosen), chosen.span) == ([2, 3, 4, 5, 6, 7], (2, 8))
    assert not chosen.slices[0].whole


def test_size_and_scan_end_it(bench: Bench) -> None:
    fill(bench, *[1] * 10)
    assert select(bench.log, (0, 10), all_wanted, entries=99, size=1).span == (0, 1)
    assert select(bench.log, (0, 10), lambda *_: False, entries=99, size=99, scan=4) == Selection(
        bench.log.epoch, (0, 4), ()
    )


def test_what_is_not_wanted_is_in_the_span_all_the_same(bench: Bench) -> None:
    fill(bench, 4)
    chosen = select(bench.log, (0, 4), lambda _, event: event.name == "n2", entries=9, size=99)
    assert (offsets(chosen), chosen.span, chosen.events) == ([2], (0, 4), 1)


def test_the_newest_begin_where_an_entry_begins(bench: Bench) -> None:
    fill(bench, 4, 4, 4)
    assert newest(bench.log, (0, 12), 5) == (4, 12)
    assert newest(bench.log, (6, 12), 5) == (6, 12)
    assert newest(bench.log, (0, 12), 99) == (0, 12)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(0, 9))
def test_halves_make_up_the_whole(sizes: list[int], first: int) -> None:
    whole = selection(*map(entry, sizes), first=first)
    singles, rest = list[Selection](), [whole]
    while rest:
        part = rest.pop()
        halves = part.halves()
        if halves is None:
            singles.append(part)
        else:
            assert halves[0].span[1] == halves[1].span[0]
            rest += reversed(halves)
    assert [offset for part in singles for offset in offsets(part)] == list(range(*whole.span))
    assert singles[0].span[0] == whole.span[0]
    assert singles[-1].span[1] == whole.span[1]
