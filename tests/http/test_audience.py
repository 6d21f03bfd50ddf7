"""The audience: open streams with their lag, and counts that survive the streams."""

from router.http.audience import Audience, AudienceStatistics
from router.names import EnvironmentName
from router.pipeline.subscription import SubscriptionStatistics

PRODUCTION = EnvironmentName("default", "production")
STAGING = EnvironmentName("default", "staging")


def test_what_was_delivered_is_counted_after_the_stream_has_gone() -> None:
    audience = Audience()
    fast = audience.seat(PRODUCTION, 1, lambda: SubscriptionStatistics(5, 2, 3, 1))
    slow = audience.seat(PRODUCTION, 2, lambda: SubscriptionStatistics(1, 6, 1, 0), consumer="lake")
    with fast:
        with slow:
            assert audience.statistics() == {PRODUCTION: AudienceStatistics(2, 6, 2, 4, 1)}
            assert [(seat.number, seat.consumer) for seat in audience.seats(10)] == [(1, None), (2, "lake")]
            assert len(list(audience.seats(1))) == 1
        assert audience.statistics() == {PRODUCTION: AudienceStatistics(1, 2, 2, 4, 1)}
    assert audience.statistics() == {PRODUCTION: AudienceStatistics(0, 0, 2, 4, 1)}
    assert len(audience) == 0


def test_environments_are_told_apart() -> None:
    audience = Audience()
    with (
        audience.seat(PRODUCTION, 1, lambda: SubscriptionStatistics(5, 2, 3, 1)),
        audience.seat(STAGING, 1, lambda: SubscriptionStatistics(5, 9, 0, 0)),
    ):
        assert {name: found.lag for name, found in audience.statistics().items()} == {PRODUCTION: 2, STAGING: 9}
