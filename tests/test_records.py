"""Entries survive storage byte for byte, and foreign bytes are refused."""

import random

import lz4.block
import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.records import PACKED, PLAIN, WORTH, Entry, Event, Kind, arrival, pack_body, raws, seal, select, unpack

TEXT = st.text(max_size=20)
EVENTS = st.builds(
    Event,
    st.sampled_from([kind.value for kind in Kind]),
    st.integers(-(2**40), 2**50),
    TEXT,
    st.lists(TEXT, max_size=3).map(tuple),
    st.lists(TEXT, max_size=3).map(tuple),
    st.none() | st.dictionaries(TEXT, st.integers(-(2**60), 2**60) | TEXT | st.booleans(), max_size=3),
    st.binary(max_size=200) | st.binary(max_size=20).map(lambda part: part * 100),  # of the two, the second compresses
)
FACTS = st.dictionaries(TEXT, TEXT | st.integers(-(2**60), 2**60), max_size=4)
STAMPS = st.integers(0, 2**64 - 1)


@given(STAMPS, FACTS, st.lists(EVENTS, max_size=5))
def test_unpack_gives_back_what_was_sealed(arrived: int, facts: dict[str, object], events: list[Event]) -> None:
    stored = seal(arrived, pack_body("launchdarkly", "bulk", facts, events))

    assert Entry(arrived, "launchdarkly", "bulk", facts, tuple(events)) == unpack(stored)
    assert arrived == arrival(stored)
    assert raws(stored) == [event.raw for event in events]


@given(STAMPS, FACTS, st.lists(EVENTS, max_size=5))
def test_what_is_stored_is_what_any_reader_of_the_format_reads(
    arrived: int, facts: dict[str, object], events: list[Event]
) -> None:
    stored = seal(arrived, pack_body("statsig", "rgstr", facts, events))
    version, stamp, *rest = msgpack.unpackb(stored, use_list=False)
    if version == PACKED:
        (packed,) = rest
        content = lz4.block.decompress(packed)
        assert len(packed) < len(content) >= WORTH
        rest = msgpack.unpackb(content, use_list=False)
    else:
        assert version == PLAIN
    assert (stamp, *rest) == (arrived, "statsig", "rgstr", facts, tuple(map(tuple, events)))


def test_an_entry_of_the_first_version_is_read() -> None:
    """As every entry was stored, whatever its size, before there was another version."""
    event = Event("custom", 1, "name", ("flag",), ("user:a",), {"version": 3}, b"{}" * 2000)
    stored = msgpack.packb([PLAIN, 2**40, "launchdarkly", "bulk", {"schema": 4}, [event, event]])
    assert unpack(stored[:2] + b"\xcf" + stored[3:]) == Entry(
        2**40, "launchdarkly", "bulk", {"schema": 4}, (event, event)
    )


def test_events_alike_take_a_fraction() -> None:
    events = [
        Event("custom", n, "name", (), (f"user:{n}",), None, b'{"kind":"custom","user":"%d"}' % n) for n in range(50)
    ]
    whole = sum(len(event.raw) for event in events)
    assert len(pack_body("launchdarkly", "bulk", {}, events)) < whole / 2


def test_what_does_not_compress_is_kept_as_it_is() -> None:
    noise = random.Random(1).randbytes(WORTH * 4)
    body = pack_body("d", "e", {}, [Event("custom", 1, "n", (), (), None, noise)])
    assert noise in body
    assert raws(seal(1, body)) == [noise]


@pytest.mark.parametrize("size", [2**31 - 1, 2**32 - 1, 0, 5, 5000])
def test_a_size_that_cannot_be_is_refused_and_not_made_room_for(size: int) -> None:
    packed = lz4.block.compress(b"x" * 4000)
    for content in (size.to_bytes(4, "little") + packed[4:], packed[:-3], b"", b"\0"):
        with pytest.raises(ValueError, match="not an entry"):
            unpack(seal(1, msgpack.packb(content)))


@given(st.lists(EVENTS, max_size=6), st.data())
def test_selected_events_are_the_ones_at_their_places(events: list[Event], data: st.DataObject) -> None:
    places = data.draw(st.lists(st.sampled_from(range(len(events))), unique=True)) if events else []
    body = pack_body("statsig", "log_event", {"a": 1}, events)

    expected = pack_body("statsig", "log_event", {"a": 1}, [events[place] for place in places])
    assert select(body, places) == expected


@given(st.binary(max_size=60))
def test_foreign_bytes_are_refused_or_read_never_worse(data: bytes) -> None:
    """Whatever is on disk, reading it gives an entry or a ValueError."""
    for stored in (data, seal(1, data), seal(1, msgpack.packb(data)), seal(1, msgpack.packb(lz4.block.compress(data)))):
        for read in (unpack, raws, arrival):
            try:
                read(stored)
            except ValueError:
                continue


def test_unknown_version_is_refused_by_name() -> None:
    stored = msgpack.packb([PACKED + 1, 0, "d", "e", {}, []])

    with pytest.raises(ValueError, match=f"version {PACKED + 1} is not known"):
        unpack(stored)
    with pytest.raises(ValueError, match="not an entry of version"):
        arrival(stored)
