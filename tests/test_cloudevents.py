"""CloudEvents envelopes: the attributes of the contract, and the SDK's JSON untouched."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import cloudevents
from router.names import EnvironmentName
from router.records import Event

SHOP = EnvironmentName("shop", "production")
ARRIVED = 1_700_000_000_500
FEATURE = Event(
    "evaluation", 1_700_000_000_123, "feature", ("checkout",), ("user:ada",), {"variation": 1}, b'{"kind":"feature"}'
)


def test_an_envelope_has_the_attributes_of_the_contract() -> None:
    assert json.loads(cloudevents.envelope(SHOP, "abcdefgh-7", "launchdarkly", ARRIVED, FEATURE)) == {
        "specversion": "1.0",
        "id": "abcdefgh-7",
        "source": "/projects/shop/environments/production",
        "type": "flags.evaluation",
        "time": "2023-11-14T22:13:20.123Z",
        "receivedtime": "2023-11-14T22:13:20.500Z",
        "dialect": "launchdarkly",
        "name": "feature",
        "subject": "checkout",
        "datacontenttype": "application/json",
        "data": {"kind": "feature"},
    }


@pytest.mark.parametrize(
    ("flags", "contexts", "subject"),
    [
        (("a", "b"), ("user:1",), "a"),
        ((), ("user:1", "org:2"), "user:1"),
        ((), (), None),
        (('quo"te\n',), (), 'quo"te\n'),
        (("\ud800",), (), "?"),
    ],
)
def test_the_subject_is_the_first_flag_or_else_the_first_context(
    flags: tuple[str, ...], contexts: tuple[str, ...], subject: str | None
) -> None:
    event = FEATURE._replace(flags=flags, contexts=contexts)
    assert json.loads(cloudevents.envelope(SHOP, "abcdefgh-7", "statsig", ARRIVED, event)).get("subject") == subject


def test_the_json_of_the_event_is_spliced_in_as_it_came() -> None:
    raw = b'{ "kind" : "feature", "value": 1.0e0, "u": "\\u00e9\xc3\xa9" }'
    line = cloudevents.envelope(SHOP, "abcdefgh-7", "launchdarkly", ARRIVED, FEATURE._replace(raw=raw))
    assert line.endswith(b',"data":' + raw + b"}")


def test_an_envelope_is_one_line() -> None:
    event = FEATURE._replace(raw=b'{\r\n"kind":\n"feature"}', name="two\nlines")
    line = cloudevents.envelope(SHOP, "abcdefgh-7", "launchdarkly", ARRIVED, event)
    assert b"\n" not in line
    assert b"\r" not in line
    assert json.loads(line)["data"] == {"kind": "feature"}


@given(st.integers(0, 253_402_300_799_999))
def test_times_are_rfc_3339_to_the_millisecond(time: int) -> None:
    written = datetime.fromisoformat(cloudevents.timestamp(time))
    assert written == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time)


@pytest.mark.parametrize(
    ("time", "written"),
    [(-1, "1970-01-01T00:00:00.000Z"), (10**18, "9999-12-31T23:59:59.999Z"), (0, "1970-01-01T00:00:00.000Z")],
)
def test_a_time_that_cannot_be_written_becomes_the_nearest(time: int, written: str) -> None:
    assert cloudevents.timestamp(time) == written
