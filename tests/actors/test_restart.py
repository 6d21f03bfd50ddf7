"""Restart arithmetic: window edges, backoff bounds."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.actors.restart import Backoff, Intensity

TIMES = st.lists(st.floats(0, 1000), max_size=20).map(sorted)


def test_defaults_are_five_restarts_in_a_minute() -> None:
    assert Intensity() == Intensity(restarts=5, period=60.0)
    assert Backoff() == Backoff(first=0.05, cap=10.0, reset_after=60.0)


def test_as_many_restarts_as_allowed_are_not_too_many() -> None:
    assert not Intensity(2, 10.0).exceeded([0.0, 1.0], now=1.0)


def test_one_more_is_too_many() -> None:
    assert Intensity(2, 10.0).exceeded([0.0, 1.0, 2.0], now=2.0)


def test_restart_exactly_one_period_ago_still_counts() -> None:
    assert Intensity(1, 10.0).exceeded([0.0, 10.0], now=10.0)


def test_restart_longer_ago_does_not_count() -> None:
    assert not Intensity(1, 10.0).exceeded([0.0, 10.001], now=10.001)


def test_no_restart_allowed_means_the_first_is_too_many() -> None:
    assert Intensity(0, 10.0).exceeded([5.0], now=5.0)


@pytest.mark.parametrize(("restarts", "period"), [(-1, 10.0), (1, 0.0), (1, -1.0)])
def test_senseless_intensity_is_refused(restarts: int, period: float) -> None:
    with pytest.raises(ValueError, match="no intensity"):
        Intensity(restarts, period)


@given(TIMES, st.integers(0, 5), st.floats(0.1, 100))
def test_forgetting_old_restarts_changes_no_decision(times: list[float], restarts: int, period: float) -> None:
    """Keeping only what is recent, as the supervisor does, decides as the whole history would."""
    intensity = Intensity(restarts, period)
    kept: tuple[float, ...] = ()
    for count, now in enumerate(times, 1):
        kept = (*intensity.recent(kept, now), now)
        assert intensity.exceeded(kept, now) == intensity.exceeded(times[:count], now)


@given(st.integers(1, 10_000), st.integers())
def test_delay_lies_between_zero_and_the_ceiling(row: int, seed: int) -> None:
    backoff = Backoff(first=0.05, cap=10.0)
    assert 0.0 <= backoff.delay(row, Random(seed)) <= backoff.ceiling(row) <= 10.0


def test_ceiling_doubles_up_to_the_cap() -> None:
    backoff = Backoff(first=0.05, cap=0.5)
    assert [backoff.ceiling(row) for row in range(1, 7)] == [0.05, 0.1, 0.2, 0.4, 0.5, 0.5]


def test_jitter_is_full() -> None:
    """Delays spread over the whole ceiling, not over its upper part."""
    random = Random(0)
    delays = [Backoff(first=1.0).delay(1, random) for _ in range(1000)]
    assert min(delays) < 0.05
    assert max(delays) > 0.95


def test_long_life_ends_a_row_of_crashes() -> None:
    backoff = Backoff(reset_after=60.0)
    assert backoff.row(7, uptime=59.9) == 8
    assert backoff.row(7, uptime=60.0) == 1
    assert backoff.row(0, uptime=0.0) == 1
