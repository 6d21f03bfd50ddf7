"""Caps and times of day: pure, with the time given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.pipeline.pacing import DAY, Bucket, Pace, Window

HOUR = 3600.0


@pytest.mark.parametrize(
    ("window", "hour", "wait"),
    [
        (Window(8 * HOUR, 18 * HOUR), 8, 0),
        (Window(8 * HOUR, 18 * HOUR), 17.99, 0),
        (Window(8 * HOUR, 18 * HOUR), 18, 14),
        (Window(8 * HOUR, 18 * HOUR), 0, 8),
        (Window(22 * HOUR, 6 * HOUR), 23, 0),
        (Window(22 * HOUR, 6 * HOUR), 5, 0),
        (Window(22 * HOUR, 6 * HOUR), 6, 16),
        (Window(22 * HOUR, 6 * HOUR), 21, 1),
    ],
)
def test_windows(window: Window, hour: float, wait: float) -> None:
    assert window.wait(hour * HOUR) == wait * HOUR


@given(st.floats(0, DAY, exclude_max=True), st.floats(0, DAY, exclude_max=True), st.floats(0, DAY, exclude_max=True))
def test_after_its_wait_a_window_is_open(begin: float, end: float, second: float) -> None:
    window = Window(begin, end)
    wait = window.wait(second)
    assert 0 <= wait < DAY or begin == end


@given(st.floats(0.1, 1000), st.lists(st.tuples(st.floats(0, 10), st.floats(0, 500)), max_size=30))
def test_a_bucket_lets_no_more_through_than_its_rate(rate: float, steps: list[tuple[float, float]]) -> None:
    """Whoever waits as told has sent, by any time, no more than the rate allows, one second's worth and one amount."""
    bucket = Bucket(rate)
    now = spent = 0.0
    largest = max((amount for _, amount in steps), default=0.0)
    for pause, amount in steps:
        now += pause + bucket.wait(now + pause)
        bucket.spend(amount, now)
        spent += amount
        assert spent <= rate * now + max(rate, 1.0) + largest + 1e-3


def test_waiting_as_told_is_enough() -> None:
    bucket = Bucket(2)
    bucket.spend(100, 0.0)
    wait = bucket.wait(0.0)
    assert bucket.wait(wait + 1e-6) == 0


def test_without_caps_nothing_waits() -> None:
    pace = Pace()
    pace.begin(0)
    pace.sent(10**9, 0)
    assert (pace.wait(0), pace.closed(1_700_000_000_000)) == (0, 0)


def test_each_cap_holds() -> None:
    pace = Pace(bandwidth=100, rate=1, windows=[Window(0, HOUR), Window(12 * HOUR, 13 * HOUR)])
    pace.begin(0)
    assert 0 < pace.wait(0) <= 1
    pace.sent(1100, 0)
    assert 10 <= pace.wait(0) <= 10.1
    assert pace.closed(0) == 0
    assert pace.closed(int(2 * HOUR * 1000)) == 10 * HOUR
