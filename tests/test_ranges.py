"""Ranges behave as the sets of offsets that they stand for."""

from hypothesis import given
from hypothesis import strategies as st

from router.ranges import NOTHING, Ranges

SPAN = st.tuples(st.integers(0, 30), st.integers(0, 30))
SPANS = st.lists(SPAN, max_size=8)


def offsets(ranges: Ranges) -> set[int]:
    return {offset for first, end in ranges.spans for offset in range(first, end)}


@given(SPANS, SPAN)
def test_a_span_is_added(spans: list[tuple[int, int]], span: tuple[int, int]) -> None:
    before = Ranges.of(spans)
    after = before.with_span(*span)
    assert offsets(after) == offsets(before) | set(range(*span))
    ends = [bound for spans in after.spans for bound in spans]
    assert ends == sorted(set(ends)), "spans are sorted and do not touch"


@given(SPANS)
def test_the_same_offsets_are_the_same_ranges_whatever_the_order(spans: list[tuple[int, int]]) -> None:
    one_by_one = NOTHING
    for span in spans:
        one_by_one = one_by_one.with_span(*span)
    assert one_by_one == Ranges.of(spans) == Ranges.of(reversed(spans))


@given(SPANS)
def test_membership(spans: list[tuple[int, int]]) -> None:
    ranges = Ranges.of(spans)
    assert {offset for offset in range(32) if offset in ranges} == offsets(ranges)


@given(SPANS, SPAN)
def test_gaps_are_what_is_missing(spans: list[tuple[int, int]], window: tuple[int, int]) -> None:
    ranges = Ranges.of(spans)
    missing = {offset for first, end in ranges.gaps(*window) for offset in range(first, end)}
    assert missing == set(range(*window)) - offsets(ranges)


@given(SPANS, st.integers(0, 32))
def test_reach_is_the_first_that_is_missing(spans: list[tuple[int, int]], first: int) -> None:
    ranges = Ranges.of(spans)
    reach = ranges.reach(first)
    assert reach not in ranges
    assert set(range(first, reach)) <= offsets(ranges)
