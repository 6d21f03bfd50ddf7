"""When Statsig events happened: units, spellings, skew, clamping (protocols/statsig-and-others.md 6.3)."""

import math
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.dialects.dialect import Batch, Dialect
from router.dialects.statsig import Statsig
from router.dialects.statsig_times import AHEAD, OLD, TOLERATED, milliseconds, timing
from tests.dialects.fixtures import decode
from tests.dialects.test_statsig import enveloped, posted

SDK: Final[Dialect] = Statsig()
NOW: Final = 1_784_700_000_123
HOUR: Final = 3_600_000

SPELLINGS = [
    (NOW, NOW),
    (float(NOW), NOW),
    (NOW + 0.75, NOW),
    (str(NOW), NOW),
    (f" {NOW} ", NOW),
    (f"{NOW}.9", NOW),
    (f"{NOW},9", NOW),
    ("1.784700000123E+12", NOW),
    ("1,784700000123E+12", NOW),
    (1_784_700_000, 1_784_700_000_000),
    (1_784_700_000.5, 1_784_700_000_500),
    ("1784700000", 1_784_700_000_000),
    (99_999_999_999, 99_999_999_999_000),
    (100_000_000_000, 100_000_000_000),
    (99_999_999_999_999, 99_999_999_999_999),
    (100_000_000_000_000, 100_000_000_000),
    (NOW * 1000 + 999, NOW),
    (NOW * 1_000_000 + 999_999, NOW),
    ("2026-07-22T06:00:00.123Z", NOW),
    ("2026-07-22T08:00:00.123+02:00", NOW),
    ("2026-07-22T06:00:00.123", NOW),
    ("2026-07-22 06:00:00.123999", NOW),
    ("2026-07-22", 1_784_678_400_000),
]
NO_TIMES: list[object] = [
    *(None, "", "  ", "yesterday", "1,784,700,000,123", True, False, [], {}, [NOW], b"1784700000123"),
    *(0, -1, -NOW, 0.0, "0", "-5", "1969-12-31T00:00:00Z", "0001-01-01T00:00:00+14:00"),
    *(math.nan, math.inf, -math.inf, "nan", "inf", 10**22, 1e300, "9" * 5000),
]


@pytest.mark.parametrize(("value", "expected"), SPELLINGS)
def test_every_spelling_of_a_time_is_read(value: object, expected: int) -> None:
    assert milliseconds(value) == expected


@pytest.mark.parametrize("value", NO_TIMES, ids=lambda value: repr(value)[:30])
def test_what_is_no_time_is_absent(value: object) -> None:
    assert milliseconds(value) is None


@example(-1.797693134862316e305)  # a thousand times that is no float
@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes().map(str))
def test_reading_a_time_never_fails_and_stays_within_what_the_log_holds(value: object) -> None:
    found = milliseconds(value)

    assert found is None or 0 < found < 10**15


@pytest.mark.parametrize(
    ("sent", "skew", "shift"),
    [
        ((NOW,), 0, 0),
        ((NOW - TOLERATED + 1,), TOLERATED - 1, 0),
        ((NOW + TOLERATED - 1,), 1 - TOLERATED, 0),
        ((NOW - TOLERATED,), TOLERATED, TOLERATED),
        ((NOW + TOLERATED,), -TOLERATED, -TOLERATED),
        ((NOW - 5 * HOUR,), 5 * HOUR, 5 * HOUR),
        ((f"{NOW - HOUR},5",), HOUR, HOUR),
        ((None, "", NOW - HOUR), HOUR, HOUR),
        (("soon", str(NOW - HOUR), NOW), HOUR, HOUR),
        ((12_345, NOW - HOUR), HOUR, HOUR),
        ((946_684_800_000,), NOW - 946_684_800_000, NOW - 946_684_800_000),
    ],
)
def test_the_shift_is_the_skew_where_that_is_more_than_the_network_makes(
    sent: tuple[object, ...], skew: int, shift: int
) -> None:
    """A clock that was reset to the year 2000 is a clock; one that counts from its start is none."""
    found = timing(NOW, *sent)

    assert (found.received, found.sent, found.skew, found.shift) == (NOW, NOW - skew, skew, shift)


@pytest.mark.parametrize("sent", [(), (None,), ("", "never"), (0,), (12_345,), (math.nan,)])
def test_without_a_send_time_nothing_is_shifted(sent: tuple[object, ...]) -> None:
    found = timing(NOW, *sent)

    assert (found.sent, found.skew, found.shift) == (None, None, 0)


def received(own: object, **headers: str) -> Batch:
    event = {"eventName": "e"} if own is None else {"eventName": "e", "time": own}
    return decode(SDK, posted("/v1/log_event", enveloped(event), **headers), received=NOW)


CORRECTED = [
    # own time, send time: corrected time, quality, own time kept beside
    (NOW - 500, NOW - 400, NOW - 500, "skew", False),
    (NOW - 500 - HOUR, NOW - HOUR, NOW - 500, "skew", True),
    (NOW - 500 + HOUR, NOW + HOUR, NOW - 500, "skew", True),
    (NOW - 500, None, NOW - 500, "raw", False),
    (NOW - 5 * HOUR, None, NOW - 5 * HOUR, "raw", False),
    (NOW - 4 * 24 * HOUR, NOW - 2 * HOUR, NOW - 4 * 24 * HOUR + 2 * HOUR, "skew", True),
    (NOW + AHEAD, NOW, NOW + AHEAD, "skew", False),
    (NOW + AHEAD + 1, NOW, NOW, "clamped", True),
    (NOW + HOUR, None, NOW, "clamped", True),
    (None, NOW - 100, NOW, "recv", False),
    ("never", None, NOW, "recv", False),
    (NOW / 1000, NOW - 50, NOW, "skew", False),
    (NOW + 0.75, NOW, NOW, "skew", False),
    (str(NOW - 500), NOW, NOW - 500, "skew", False),
    ("2026-07-22T06:00:00Z", NOW, 1_784_700_000_000, "skew", False),
]


@pytest.mark.parametrize(("own", "sent", "time", "quality", "moved"), CORRECTED)
def test_an_event_is_dated_by_the_senders_clock_and_ours(
    own: object, sent: int | None, time: int, quality: str, moved: bool
) -> None:
    batch = received(own) if sent is None else received(own, statsig_client_time=str(sent))
    event = batch.events[0]

    assert (event.time, batch.facts["quality"]) == (time, quality)
    assert event.attributes == ({"client_time": milliseconds(own)} if moved else None)


def test_the_header_wins_over_the_query_and_that_over_the_body() -> None:
    body = enveloped({"eventName": "e", "time": NOW}, clientTime=str(NOW - 1))
    target = f"/v1/rgstr?t={NOW - 2}"

    def sent(recorded_target: str, **headers: str) -> int:
        told: int = decode(SDK, posted(recorded_target, body, **headers), received=NOW).facts["client_time"]
        return told

    assert sent(target, statsig_client_time=str(NOW - 3)) == NOW - 3
    assert sent(target, statsig_client_time="") == NOW - 2
    assert sent("/v1/rgstr?t=") == NOW - 1


def test_old_events_are_kept_with_their_time_and_counted() -> None:
    """PHP posts from a local file, browsers from their storage (1.6)."""
    times = [NOW - OLD - 1, NOW - OLD, NOW - 10 * OLD]
    batch = decode(
        SDK, posted("/v1/rgstr", enveloped(*({"eventName": "e", "time": time} for time in times))), received=NOW
    )

    assert [event.time for event in batch.events] == times
    assert batch.facts == {"quality": "raw", "old": 2}


def test_one_event_without_a_time_leaves_the_quality_of_the_others() -> None:
    batch = decode(SDK, posted("/v1/rgstr", enveloped({"eventName": "e"}, {"eventName": "e", "time": 5})), received=NOW)

    assert [event.time for event in batch.events] == [NOW, 5000]
    assert batch.facts["quality"] == "raw"


@pytest.mark.parametrize("name", ["time", "timestamp"])
def test_either_name_of_the_time_is_read(name: str) -> None:
    """The inbound webhook says `timestamp` (3.1)."""
    body = {"event": "e", name: str(NOW // 1000)}
    batch = decode(SDK, posted("/v1/webhooks/event_webhook", body), received=NOW)

    assert batch.events[0].time == NOW // 1000 * 1000
