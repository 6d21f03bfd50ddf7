"""Histograms: every observation is counted once, under the first bound that holds it."""

from hypothesis import given
from hypothesis import strategies as st

from router.histogram import Histogram


def test_a_bound_holds_what_is_equal_to_it() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 2.5):
        histogram.observe(value)

    assert histogram.statistics().counts == (2, 2, 1)


@given(st.lists(st.floats(0, 100)))
def test_every_observation_is_counted_once(values: list[float]) -> None:
    histogram = Histogram((1.0, 10.0, 50.0))
    for value in values:
        histogram.observe(value)
    found = histogram.statistics()

    assert found.count == len(values)
    assert found.total == sum(values)
    assert sum(found.counts[:2]) == sum(value <= 10.0 for value in values)
