"""Selections of made-up entries, for what is built of them."""

from typing import Any

from router.pipeline.selection import Selection, Slice
from router.records import Entry, Event

EPOCH = "abcdefgh"


def event(n: int, kind: str = "custom") -> Event:
    return Event(kind, 1_700_000_000_000 + n, f"n{n}", (), ("user:u",), None, b'{"kind":"custom","n":%d}' % n)


def entry(
    count: int = 2,
    dialect: str = "launchdarkly",
    endpoint: str = "bulk",
    *,
    kind: str = "custom",
    **facts: Any,  # noqa: ANN401
) -> Entry:
    events = tuple(event(n, kind) for n in range(count))
    return Entry(1_700_000_001_000, dialect, endpoint, facts, events)


def selection(*entries: Entry, first: int = 0) -> Selection:
    """All of `entries`, as if the log began with them at `first`."""
    slices = []
    offset = first
    for each in entries:
        slices.append(Slice(offset, each, tuple(enumerate(each.events, offset))))
        offset += len(each.events)
    return Selection(EPOCH, (first, offset), tuple(slices))
