"""Entries survive storage byte for byte, and foreign bytes are refused."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.records import VERSION, Entry, Event, Kind, arrival, pack_body, seal, select, unpack

TEXT = st.text(max_size=20)
EVENTS = st.builds(
    Event,
    st.sampled_from([kind.value for kind in Kind]),
    st.integers(-(2**40), 2**50),
    TEXT,
    st.lists(TEXT, max_size=3).map(tuple),
    st.lists(TEXT, max_size=3).map(tuple),
    st.none() | st.dictionaries(TEXT, st.integers(-(2**60), 2**60) | TEXT | st.booleans(), max_size=3),
    st.binary(max_size=200),
)
FACTS = st.dictionaries(TEXT, TEXT | st.integers(-(2**60), 2**60), max_size=4)
STAMPS = st.integers(0, 2**64 - 1)


@given(STAMPS, FACTS, st.lists(EVENTS, max_size=5))
def test_unpack_gives_back_what_was_sealed(arrived: int, facts: dict[str, object], events: list[Event]) -> None:
    stored = seal(arrived, pack_body("launchdarkly", "bulk", facts, events))

    assert Entry(arrived, "launchdarkly", "bulk", facts, tuple(events)) == unpack(stored)
    assert arrived == arrival(stored)


@given(FACTS, st.lists(EVENTS, max_size=5))
def test_what_is_packed_is_what_any_packer_of_the_format_makes(facts: dict[str, object], events: list[Event]) -> None:
    expected = b"".join(map(msgpack.packb, ("statsig", "rgstr", facts, events)))
    assert pack_body("statsig", "rgstr", facts, events) == expected


@given(st.lists(EVENTS, max_size=6), st.data())
def test_selected_events_are_the_ones_at_their_places(events: list[Event], data: st.DataObject) -> None:
    places = data.draw(st.lists(st.sampled_from(range(len(events))), unique=True)) if events else []
    body = pack_body("statsig", "log_event", {"a": 1}, events)

    expected = pack_body("statsig", "log_event", {"a": 1}, [events[place] for place in places])
    assert select(body, places) == expected


@given(st.binary(max_size=60))
def test_foreign_bytes_are_refused_or_read_never_worse(data: bytes) -> None:
    """Whatever is on disk, reading it gives an entry or a ValueError."""
    for read in (unpack, arrival):
        try:
            read(data)
        except ValueError:
            continue


def test_unknown_version_is_refused_by_name() -> None:
    stored = msgpack.packb([VERSION + 1, 0, "d", "e", {}, []])

    with pytest.raises(ValueError, match=f"version {VERSION + 1} is not known"):
        unpack(stored)
    with pytest.raises(ValueError, match="not an entry of version"):
        arrival(stored)
