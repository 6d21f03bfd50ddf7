"""Stamps never decrease, whatever the clock does."""

from hypothesis import given
from hypothesis import strategies as st

from router.clocks import ManualClock, Stamps, SystemClock


@given(st.integers(0, 2**42), st.lists(st.integers(0, 2**42), min_size=1))
def test_stamps_never_decrease(last: int, readings: list[int]) -> None:
    clock = ManualClock()
    stamps = Stamps(clock, last)
    given_out = [last]
    for reading in readings:
        clock.value = reading
        given_out.append(stamps.next())

    assert given_out == sorted(given_out)
    assert given_out[-1] == max(last, *readings)


def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(5)
    clock.advance(3)

    assert clock.now() == 8


def test_the_system_clock_counts_milliseconds_since_1970() -> None:
    year_2026, year_2200 = 1_767_225_600_000, 7_258_118_400_000

    assert year_2026 < SystemClock().now() < year_2200
