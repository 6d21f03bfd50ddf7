"""Token buckets: a burst, then a steady rate, and no more than that over any time."""

from hypothesis import given
from hypothesis import strategies as st

from router.http.rates import MOST, Rates


def test_a_burst_is_let_through_and_then_the_rate_holds() -> None:
    rates = Rates()
    assert [rates.wait(b"k", 0.0, rate=2, burst=3) for _ in range(5)] == [0, 0, 0, 1, 1]
    assert rates.wait(b"k", 0.5, rate=2, burst=3) == 0
    assert rates.wait(b"k", 0.5, rate=2, burst=3) == 1
    assert rates.wait(b"other", 0.5, rate=2, burst=3) == 0
    assert rates.statistics().refused == 3


def test_the_time_to_wait_is_told_in_whole_seconds() -> None:
    rates = Rates()
    assert rates.wait(b"k", 0.0, rate=0.1, burst=1) == 0
    assert rates.wait(b"k", 0.0, rate=0.1, burst=1) == 10
    assert rates.wait(b"k", 9.9, rate=0.1, burst=1) == 1
    assert rates.wait(b"k", 10.1, rate=0.1, burst=1) == 0


@given(
    gaps=st.lists(st.floats(0, 5), max_size=200),
    rate=st.floats(0.1, 100),
    burst=st.integers(1, 50),
)
def test_never_more_than_the_burst_and_what_flowed_in(gaps: list[float], rate: float, burst: int) -> None:
    rates, now, passed = Rates(), 0.0, 0
    for gap in gaps:
        now += gap
        passed += rates.wait(b"k", now, rate=rate, burst=burst) == 0
        assert passed <= burst + now * rate + 1e-6


def test_the_buckets_that_are_remembered_are_bounded() -> None:
    rates = Rates()
    for number in range(MOST + 100):
        rates.wait(str(number).encode(), 0.0, rate=1, burst=1)
    assert rates.statistics().keys == MOST
