"""CloudEvents as events: any producer's, and another router's, which come out as they stood there."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dialects.cloudevents_events import read, read_relayed
from router.dialects.json import split_array
from router.names import EnvironmentName
from router.pipeline.outgoing_router import batch
from router.pipeline.selection import Selection, Slice
from router.records import Entry, Event, Kind

SHOP = EnvironmentName("shop", "production")
RECEIVED = 1_700_000_000_000
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalar = st.one_of(text, st.integers(-(2**53), 2**53), st.booleans(), st.none())
raws = st.sampled_from(
    [b'{"a":1}', b'{ "x" : [1.0e0, "\\ud83d\\ude00"] }', b'{"n":NaN}', b'{"s":"\\ud800"}', b'{\n"z":0}']
)
events = st.builds(
    Event,
    st.sampled_from([kind.value for kind in Kind]),
    st.integers(0, 2**53),
    text,
    st.lists(text, max_size=3).map(tuple),
    st.lists(text, max_size=3).map(tuple),
    st.none() | st.dictionaries(text, scalar, max_size=3),
    raws,
)
entries = st.builds(
    Entry,
    st.integers(0, 2**50),
    st.sampled_from(["launchdarkly", "statsig"]),
    st.sampled_from(["bulk", "rgstr"]),
    st.dictionaries(text.filter(lambda name: name != "origin"), scalar | st.dictionaries(text, scalar, max_size=2)),
    st.lists(events, min_size=1, max_size=4).map(tuple),
)


def selection(entries: list[Entry], first: int) -> Selection:
    slices = []
    offset = first
    for entry in entries:
        slices.append(Slice(offset, entry, tuple(enumerate(entry.events, offset))))
        offset += len(entry.events)
    return Selection("abcdefgh", (first, offset), tuple(slices))


@given(st.lists(entries, min_size=1, max_size=4), st.integers(0, 2**40))
def test_what_a_router_sends_stands_at_the_other_as_it_stood_there(sent: list[Entry], first: int) -> None:
    chosen = selection(sent, first)
    reading = read_relayed(split_array(batch(SHOP, chosen, whole=True)), "abcdefgh", chosen.span)
    assert not reading.set_aside
    assert reading.events == [event for entry in sent for event in entry.events]
    assert [portion.count for portion in reading.portions] == [len(entry.events) for entry in sent]
    for portion, entry, piece in zip(reading.portions, sent, chosen.slices, strict=True):
        assert (portion.dialect, portion.endpoint) == (entry.dialect, entry.endpoint)
        origin = portion.facts["origin"]
        source = "/projects/shop/environments/production"
        assert origin == {"source": source, "first": f"abcdefgh-{piece.first}", "arrived": entry.arrived}
        assert {name: value for name, value in portion.facts.items() if name != "origin"} == entry.facts
    assert reading.origin is not None
    assert reading.origin.offsets == tuple(range(*chosen.span))


def relayed(*changes: dict[str, Any]) -> list[bytes]:
    event = Event("custom", 1, "n", (), (), None, b"{}")
    entry = Entry(1, "launchdarkly", "bulk", {}, (event,) * len(changes))
    elements = split_array(batch(SHOP, selection([entry], 5), whole=True))
    return [json.dumps(json.loads(raw) | change).encode() for raw, change in zip(elements, changes, strict=True)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": "zzzzzzzz-6"}, "not of the range"),
        ({"id": "abcdefgh-99"}, "not of the range"),
        ({"id": "abcdefgh-5"}, "not after the one before"),
        ({"id": "six"}, "no cursor"),
        ({"type": "order.paid"}, "none that a router sends"),
        ({"routerevent": "[]"}, "routerevent"),
        ({"routerevent": None}, "without routerevent"),
        ({"routerentry": "{}"}, "routerentry"),
        ({"specversion": "2.0"}, "not spoken here"),
        ({"source": ""}, "source must have"),
    ],
)
def test_one_bad_event_of_another_router_costs_only_itself(change: dict[str, Any], words: str) -> None:
    reading = read_relayed(relayed({}, change, {}), "abcdefgh", (5, 8))
    assert len(reading.events) == 2
    assert [portion.count for portion in reading.portions] == [2]
    assert words in reading.set_aside[0].reason
    assert reading.origin is not None
    assert reading.origin.span == (5, 8), "it is dealt with all the same"


def test_a_batch_of_two_sources_is_refused() -> None:
    with pytest.raises(ValueError, match="2 sources"):
        read_relayed(relayed({}, {"source": "/projects/other/environments/e"}), "abcdefgh", (5, 8))


def test_a_second_hop_keeps_the_first() -> None:
    facts = {"origin": {"source": "/projects/a/environments/b", "first": "zzzzzzzz-1", "arrived": 1}}
    entry = Entry(2, "launchdarkly", "bulk", facts, (Event("custom", 1, "n", (), (), None, b"{}"),))
    chosen = selection([entry], 0)
    reading = read_relayed(split_array(batch(SHOP, chosen, whole=True)), "abcdefgh", chosen.span)
    assert reading.portions[0].facts["origin"]["origin"] == facts["origin"]


def foreign(change: dict[str, Any]) -> Event:
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "order.paid"} | change
    reading = read([json.dumps(event).encode()], RECEIVED)
    assert not reading.set_aside
    return reading.events[0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ("other", RECEIVED, "order.paid", (), ())),
        ({"time": "2023-11-14T22:13:20.123Z"}, ("other", 1_700_000_000_123, "order.paid", (), ())),
        ({"time": "2023-11-14T23:13:20+01:00"}, ("other", 1_700_000_000_000, "order.paid", (), ())),
        ({"time": "2023-11-14T22:13:20"}, ("other", RECEIVED, "order.paid", (), ())),
        ({"time": "yesterday"}, ("other", RECEIVED, "order.paid", (), ())),
        ({"subject": "order/7"}, ("other", RECEIVED, "order.paid", (), ("subject:order/7",))),
        ({"type": "flags.exposure", "subject": "cart"}, ("exposure", RECEIVED, "flags.exposure", ("cart",), ())),
        ({"type": "flags.nonsense"}, ("other", RECEIVED, "flags.nonsense", (), ())),
        ({"data": {"deep": [1]}, "extension": 7}, ("other", RECEIVED, "order.paid", (), ())),
    ],
)
def test_events_of_any_producer(change: dict[str, Any], expected: tuple[object, ...]) -> None:
    assert foreign(change)[:5] == expected


@pytest.mark.parametrize(
    "raw",
    [
        b"7",
        b"{}",
        b'{"id":1}',
        b'{"id":"1","source":"/s"}',
        b'{"id":"","source":"/s","type":"t"}',
        b"{",
        b"\xff",
        b"",
        b'{"id":"1","source":"/s","type":"\xff"}',
    ],
)
def test_what_is_no_cloud_event_is_set_aside(raw: bytes) -> None:
    reading = read([raw, b'{"specversion":"1.0","id":"1","source":"/s","type":"t"}'], RECEIVED)
    assert len(reading.events) == 1
    assert reading.set_aside[0].raw == raw


def test_broken_data_costs_nothing_else() -> None:
    reading = read(
        [b'{"specversion":"1.0","id":"1","source":"/s","type":"t","data":NaN,"subject":"\\ud800"}'], RECEIVED
    )
    assert reading.events[0].contexts == ("subject:\ufffd",)


@given(st.binary(max_size=60))
def test_nothing_makes_it_fail(raw: bytes) -> None:
    for reading in (read([raw], RECEIVED), read_relayed([raw], "abcdefgh", (0, 5))):
        assert len(reading.events) + len(reading.set_aside) == 1


def test_the_same_source_and_id_is_the_same_event() -> None:
    one = msgspec.json.encode({"specversion": "1.0", "id": "1", "source": "/s", "type": "t"})
    other = one.replace(b'"1"', b'"2"').replace(b'"2".0', b'"1.0')
    reading = read([one, one, msgspec.json.encode({"id": "2", "source": "/s", "type": "t"})], RECEIVED)
    assert other != one
    assert len(set(reading.identities)) == 2
