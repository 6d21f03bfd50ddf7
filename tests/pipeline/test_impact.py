"""How far apart the shares before and after a change are, and what the impact is called."""

import pytest
from datasketches import hll_sketch
from hypothesis import given
from hypothesis import strategies as st

from router.pipeline.impact import WINDOW, assess, distance_of, is_complete, minutes, size_of
from router.store.changes import Impact, Served
from router.store.rollups import EVALUATION, EXPOSURE, Amount, Row, Seen, Variation

AT = 1_767_225_600  # unix s, the beginning of a minute
RED = Variation(EVALUATION, 0, 1, b'"red"')
BLUE = Variation(EVALUATION, 1, 1, b'"blue"')


def rows(*cells: tuple[int, Variation, int]) -> list[tuple[int, Row]]:
    """One row for each of (second relative to `AT`, variation, amount)."""
    return [
        ((AT + second) // 60, {variation: Amount(amount, {(AT + second) % 60: amount})})
        for second, variation, amount in cells
    ]


def sizes(found: Impact) -> tuple[str | None, float | None, str | None]:
    return found.size, found.percentage, found.reason


@pytest.mark.parametrize(
    ("percentage", "size"),
    [(0, "none"), (0.01, "small"), (19.99, "small"), (20, "medium"), (80, "medium"), (80.01, "large"), (100, "large")],
)
def test_sizes(percentage: float, size: str) -> None:
    assert size_of(percentage) == size


@pytest.mark.parametrize(
    ("before", "after", "percentage"),
    [
        ((100, 0), (50, 50), 50),
        ((100, 0), (0, 7), 100),
        ((10, 30), (100, 300), 0),
        ((1, 2), (2, 1), 33.33),
    ],
)
def test_the_percentage_is_the_distance_of_the_shares(
    before: tuple[int, int], after: tuple[int, int], percentage: float
) -> None:
    found = assess(
        AT * 1000,
        None,
        rows((-60, RED, before[0]), (-60, BLUE, before[1]), (60, RED, after[0]), (60, BLUE, after[1])),
    )
    assert sizes(found) == (size_of(percentage), percentage, "evaluations")
    assert found.served == (Served(b'"blue"', before[1], after[1]), Served(b'"red"', before[0], after[0]))


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=8))
def test_a_distance_is_between_0_and_100_and_the_same_both_ways(counts: list[tuple[int, int]]) -> None:
    before, after = sum(a for a, _ in counts), sum(b for _, b in counts)
    if before and after:
        there = distance_of([[a, b] for a, b in counts], before, after)
        assert 0 <= there <= 100
        assert there == distance_of([[b, a] for a, b in counts], after, before)


@pytest.mark.parametrize(
    ("second", "side"),
    [(-WINDOW - 1, None), (-WINDOW, 0), (-1, 0), (0, 1), (WINDOW - 1, 1), (WINDOW, None)],
)
def test_windows_are_of_ten_minutes_to_the_second(second: int, side: int | None) -> None:
    found = assess(AT * 1000, None, rows((second, RED, 5)))
    assert found.served == (() if side is None else (Served(b'"red"', *((5, 0) if side == 0 else (0, 5))),))
    first, end = minutes(AT * 1000)
    assert side is None or first <= (AT + second) // 60 < end


def test_without_traffic_on_one_side_there_is_no_size_yet() -> None:
    found = assess(AT * 1000, None, rows((-5, RED, 5)))
    assert sizes(found) == (None, None, None)
    assert found.served == (Served(b'"red"', 5, 0),)
    assert assess(AT * 1000, None, []) == Impact()


def test_near_the_change_a_version_tells_better_than_the_time() -> None:
    """A summary of five seconds holds evaluations of before and after the change, spread alike."""
    newer = BLUE._replace(version=2)
    cells = rows((-2, RED, 10), (2, RED, 10), (-2, newer, 10), (2, newer, 10), (300, RED, 4))
    found = assess(AT * 1000, 2, cells)
    assert found.served == (Served(b'"blue"', 0, 20), Served(b'"red"', 20, 4))


def test_exposures_count_where_there_are_no_evaluations() -> None:
    on, off = (Variation(EXPOSURE, None, None, value) for value in (b"true", b"false"))
    cells = rows((-5, off, 10), (5, on, 10))
    assert sizes(assess(AT * 1000, None, cells)) == ("large", 100, "exposures")
    mixed = assess(AT * 1000, None, [*cells, *rows((-5, RED, 1), (5, RED, 1))])
    assert sizes(mixed) == ("none", 0, "evaluations")


def test_contexts_are_counted_once_over_all_minutes() -> None:
    def sketch(names: range) -> hll_sketch:
        made = hll_sketch(13)
        for name in names:
            made.update(f"user:{name}")
        return made

    minute = AT // 60
    seen = Seen(1, 0, b"")
    sketches = [(minute - 3, seen, sketch(range(100))), (minute - 2, seen, sketch(range(50, 150))),
                (minute + 1, seen, sketch(range(30)))]  # fmt: skip
    found = assess(AT * 1000, None, rows((-90, RED, 300), (90, RED, 40)), sketches)
    assert found.served == (Served(b'"red"', 300, 40, 150, 30),)


def test_complete_is_what_can_change_no_more() -> None:
    assert not is_complete(AT * 1000, AT * 1000 + 599_999)
    assert is_complete(AT * 1000, AT * 1000 + 600_000)
