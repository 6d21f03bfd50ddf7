"""Statsig posts that are partly bad, wholly odd, or large: what is good is taken, what is bad is set aside."""

import gzip
import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dialects.dialect import Batch, Dialect
from router.dialects.statsig import Statsig
from router.errors import Fault, Rejected
from router.records import pack_body, seal, unpack
from tests.dialects.fixtures import RECEIVED, Recorded, decode
from tests.dialects.test_statsig import ENDPOINTS, posted

SDK: Final[Dialect] = Statsig()
GOOD: Final = b'{"eventName":"good","time":1784700000000}'

# What is set aside, each for a reason of its own.
BAD: Final = {
    b"{}": "no eventName",
    b'{"time":5}': "no eventName",
    b'{"eventName":""}': "no eventName",
    b'{"eventName":null,"event":""}': "no eventName",
    b'{"eventName":5}': "no eventName",
    b'{"eventName":["e"]}': "no eventName",
    b"null": "not a JSON object",
    b"5": "not a JSON object",
    b'"text"': "not a JSON object",
    b"[]": "not a JSON object",
    b'[{"eventName":"e"}]': "not a JSON object",
    b"nonsense": "cannot be read",
    b'{"eventName":"e",}': "cannot be read",
    b'{"eventName":"e" "time":5}': "cannot be read",
    b'{"eventName":"\xff"}': "not UTF-8",
    b'{"eventName":"e","value":"\xc3("}': "not UTF-8",
    b"[" * 5000 + b"]" * 5000: "nested too deeply",
}
# What is no valid JSON, or not as documented, and taken all the same.
ODD: Final = [
    b'{"eventName":"odd","value":NaN}',
    b'{"eventName":"odd","value":-Infinity,"time":Infinity}',
    b'{"eventName":"odd","value":"\\ud83d"}',
    b'{"eventName":"odd","metadata":{"reason":"\\udc00"}}',
    b'{"eventName":"odd","value":1e999,"user":{"userID":1e999}}',
    b'{"eventName":"odd","time":true,"user":"u-7","metadata":[],"secondaryExposures":{},"statsigMetadata":5}',
    b'{"eventName":"odd","time":99999999999999999999999999999999}',
    b'{"eventName":"odd","user":{"userID":99999999999999999999999999999999}}',
    b'{"eventName":"odd","user":{"customIDs":["a"],"statsigEnvironment":"staging"}}',
    b'{"eventName":"bad","eventName":"odd"}',
    b'{"eventName":"odd","value":"\x7f\xe2\x80\xa8"}',
]


def taken(*elements: bytes, target: str = "/v1/log_event") -> Batch:
    return decode(SDK, posted(target, b'{"events":[' + b",".join(elements) + b"]}"))


def tried(recorded: Recorded) -> Batch | Rejected:
    try:
        return decode(SDK, recorded)
    except Rejected as error:
        return error


@pytest.mark.parametrize(("bad", "reason"), BAD.items(), ids=[repr(bad)[:40] for bad in BAD])
def test_a_bad_event_is_set_aside_and_its_neighbours_are_taken(bad: bytes, reason: str) -> None:
    batch = taken(GOOD, bad, GOOD)

    assert [event.raw for event in batch.events] == [GOOD, GOOD]
    assert [aside.raw for aside in batch.set_aside] == [bad]
    assert reason in batch.set_aside[0].reason
    assert batch.event_identities is not None
    assert len(set(batch.event_identities)) == 2


@pytest.mark.parametrize("odd", ODD, ids=[repr(odd)[:60] for odd in ODD])
def test_an_odd_event_is_taken_as_it_is(odd: bytes) -> None:
    batch = taken(GOOD, odd, GOOD)

    assert [event.raw for event in batch.events] == [GOOD, odd, GOOD]
    assert [event.name for event in batch.events] == ["good", "odd", "good"]
    assert batch.set_aside == []


@pytest.mark.parametrize("bad", [b"{}", b"5", b'{"eventName":5}'])
def test_bad_events_alone_are_set_aside(bad: bytes) -> None:
    """They are JSON, so the sender is told that they were taken: a 400 would tell it nothing it can act on."""
    batch = taken(bad)

    assert (batch.events, len(batch.set_aside), batch.identity) == ([], 1, None)


@given(st.lists(st.sampled_from([GOOD, *ODD, *BAD]), min_size=1, max_size=12).map(lambda some: [GOOD, *some]))
def test_of_any_mix_the_good_are_taken_and_the_bad_set_aside_in_order(elements: list[bytes]) -> None:
    batch = taken(*elements)

    assert [event.raw for event in batch.events] == [element for element in elements if element not in BAD]
    assert [aside.raw for aside in batch.set_aside] == [element for element in elements if element in BAD]
    # All of ODD lack a time; those in company of a good one are still told apart.
    assert len(set(batch.event_identities or ())) == len(batch.events)
    assert len(unpack(seal(1, pack_body("statsig", "log_event", batch.facts, batch.events))).events) == len(
        batch.events
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["eventName", "event", "time", "timestamp", "user", "metadata", "secondaryExposures", "statsigMetadata"]
NAMES = st.sampled_from(["e", "statsig::gate_exposure", "statsig::non_exposed_checks", "statsig::config_change"])
INNER = ["userID", "customIDs", "statsigEnvironment", "gate", "gateValue", "config", "ruleID", "checks", "samplingRate"]
EVENTS = st.builds(
    lambda name, fields, inner: {**fields, "metadata": inner, "user": inner, "statsigMetadata": inner, **name},
    st.fixed_dictionaries({}, optional={"eventName": NAMES}),
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4),
    st.dictionaries(st.sampled_from(INNER), JSON, max_size=4) | JSON,
)


@given(
    st.sampled_from([f"/v1{path}" for path in ENDPOINTS]),
    st.lists(EVENTS, max_size=4),
    st.dictionaries(st.sampled_from(["user", "statsigMetadata", "clientTime", "sdkType"]), JSON),
)
def test_whatever_is_sent_is_stored_or_set_aside_or_refused_in_words(
    target: str, events: list[dict[str, Any]], others: dict[str, Any]
) -> None:
    member = "exposures" if target.endswith("exposure") else "events"
    batch = tried(posted(target, {**others, member: events}))
    if isinstance(batch, Rejected):
        assert batch.fault is Fault.MALFORMED
        return
    if not target.endswith(("exception", "_e")):
        assert len(batch.events) + len(batch.set_aside) == len(events)
    stored = unpack(seal(1, pack_body("statsig", "log_event", batch.facts, batch.events)))
    assert [event.raw for event in stored.events] == [event.raw for event in batch.events]


@given(st.binary(max_size=60), st.sampled_from([f"/v1{path}" for path in ENDPOINTS]), st.sampled_from(["", "?se=1"]))
def test_bytes_of_any_kind_are_read_or_refused(body: bytes, target: str, query: str) -> None:
    found = tried(posted(target + query, body))

    assert isinstance(found, Batch) or found.fault is Fault.MALFORMED


def test_three_thousand_events_are_taken() -> None:
    """Cores send up to 2,000, though the documentation speaks of 1,000 (1.6)."""
    elements = [b'{"eventName":"e%d","time":%d}' % (index, RECEIVED - index) for index in range(3000)]
    batch = taken(*elements)

    assert [event.raw for event in batch.events] == elements
    assert len(set(batch.event_identities or ())) == 3000


@pytest.mark.parametrize("broken", [b"", b',{"eventName":"odd","value":NaN}'], ids=["sound", "one by one"])
def test_ten_megabytes_are_taken(broken: bytes) -> None:
    """Session recordings make posts of that size, of events of a megabyte (2.8)."""
    slices = [{"eventName": "statsig::session_recording", "metadata": {"rrweb_events": "x" * 2**20}}] * 9
    body = json.dumps({"events": slices}).encode()[:-2] + b',{"eventName":"e","value":"' + b"y" * 2**20 + b'"}'
    batch = decode(SDK, posted("/v1/rgstr", gzip.compress(body + broken + b"]}", 1)))

    assert [event.kind for event in batch.events[:10]] == ["other"] * 9 + ["custom"]
    assert sum(len(event.raw) for event in batch.events) > 10 * 2**20
    assert batch.set_aside == []
