"""What answers mean, by table."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.pipeline.delivery import LONGEST, Answer, Outcome, judge, retry_after

NOW = 1_700_000_000_000


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        ((200, 201, 202, 204, 299), Outcome.DELIVERED),
        ((408, 409, 421, 423, 425, 429, 500, 502, 503, 504, 520, 100, 599), Outcome.RETRY),
        ((400, 413, 422), Outcome.SPLIT),
        ((401, 402, 403, 404, 405, 407, 410, 415, 451, 301, 302, 307, 308), Outcome.PARK),
    ],
)
def test_statuses(statuses: tuple[int, ...], outcome: Outcome) -> None:
    for status in statuses:
        verdict = judge(Answer(status, {}), NOW)
        assert verdict.outcome is outcome, status
        assert verdict.reason.startswith(str(status)) or outcome is Outcome.DELIVERED


@given(st.integers(0, 999), st.binary(max_size=300), st.text(max_size=20))
def test_every_answer_has_a_meaning_and_a_reason_on_one_line(status: int, body: bytes, later: str) -> None:
    verdict = judge(Answer(status, {"retry-after": later, "location": later}, body), NOW)
    assert verdict.reason.isprintable()
    assert verdict.after is None or 0 <= verdict.after <= LONGEST


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("999999999", LONGEST),
        (format_datetime(datetime.fromtimestamp(NOW / 1000 + 30, UTC), usegmt=True), 30),
        (format_datetime(datetime.fromtimestamp(NOW / 1000 - 30, UTC), usegmt=True), 0),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(text: str | None, seconds: float | None) -> None:
    assert retry_after(text, NOW) == seconds


def test_a_parked_forward_says_what_to_look_at() -> None:
    assert judge(Answer(401, {}, b"nope"), NOW).reason == "401 nope: it does not know the key or token"
    moved = judge(Answer(301, {"location": "https://else.example"}), NOW).reason
    assert "'https://else.example'" in moved
