"""One environment's log: entries under dense offsets, read by offset or by time.

The key of an entry is the offset of its first event, eight bytes big-endian. An offset belongs to one event and is
never used again within an epoch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from router import records
from router.names import EnvironmentName
from router.records import Entry
from router.store.engine import Batch, Damaged, Engine
from router.store.meta import LogRow

KEY_BYTES: Final = 8


def key_of(offset: int) -> bytes:
    return offset.to_bytes(KEY_BYTES, "big")


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry where it stands: `first` is the offset of its first event."""

    first: int
    entry: Entry

    @property
    def end(self) -> int:
        """The offset after its last event."""
        return self.first + len(self.entry.events)


@dataclass(frozen=True, slots=True)
class LogStatistics:
    """head: offset the next event gets; low: first offset kept; last_arrival: newest commit stamp, 0 when empty."""

    head: int
    low: int
    last_arrival: int


class Log:
    """The entries of one environment. `head` may be ahead of what is durable: readers stop at the watermark instead."""

    def __init__(self, name: EnvironmentName, engine: Engine, row: LogRow) -> None:
        self.name = name
        self.row = row
        self._family = engine.family(row.family)
        self.head = row.low
        self.last_arrival = 0
        last = self._family.last()
        if last is not None:
            stored = _decode(name, *last)
            self.head = stored.end
            self.last_arrival = stored.entry.arrived
        self._staged = self.head

    @property
    def epoch(self) -> str:
        return self.row.epoch

    @property
    def low(self) -> int:
        return self.row.low

    def stage(self, batch: Batch, arrived: int, body: bytes, count: int) -> int:
        """Put an entry of `count` events, packed by `records.pack_body`, into `batch`; returns its first offset.

        The offsets are only lent until `advance` says that the batch was written, or `retract` that it was not.
        """
        first = self._staged
        batch.put(self._family, key_of(first), records.seal(arrived, body))
        self._staged = first + count
        return first

    def advance(self, arrived: int) -> None:
        """The batch is written: what was staged is part of the log."""
        self.head = self._staged
        self.last_arrival = arrived

    def retract(self) -> None:
        """The batch was not written: its offsets are free again."""
        self._staged = self.head

    def read(self, offset: int, end: int) -> Iterator[Stored]:
        """Entries in order, beginning with the one that holds `offset`, up to those that begin before `end`.

        The first may begin before `offset`. Lazy: take no more than a chunk before giving way to others.

        Raises:
            Damaged: an entry cannot be read, or one is missing: offsets are dense.
        """
        if offset >= end:
            return
        start = self._family.floor(key_of(offset))
        expected = offset
        for key, value in self._family.scan(start[0] if start else key_of(offset), key_of(end)):
            stored = _decode(self.name, key, value)
            if stored.end <= offset:
                continue
            if stored.first > expected:
                raise _missing(self.name, expected, stored.first)
            expected = stored.end
            yield stored
        if expected < end:
            raise _missing(self.name, expected, end)

    def offset_at(self, time: int, end: int) -> int:
        """Offset of the first event before `end` that arrived at `time` (unix ms) or later; `end` when there is none.

        A binary search: commit stamps never decrease with the offset.
        """
        low, high = self.low, end
        while low < high:
            middle = (low + high) // 2
            item = self._family.floor(key_of(middle))
            if item is None:
                raise _missing(self.name, low, middle)
            if records.arrival(item[1]) >= time:
                high = int.from_bytes(item[0], "big")
            else:
                low = max(middle, _decode(self.name, *item).end - 1) + 1
        return min(low, end)

    def statistics(self) -> LogStatistics:
        return LogStatistics(self.head, self.low, self.last_arrival)


def _decode(name: EnvironmentName, key: bytes, value: bytes) -> Stored:
    try:
        return Stored(int.from_bytes(key, "big"), records.unpack(value))
    except ValueError as error:
        raise Damaged(f"the entry at offset {int.from_bytes(key, 'big')} of {name} cannot be read: {error}") from error


def _missing(name: EnvironmentName, first: int, end: int) -> Damaged:
    return Damaged(f"events {first} to {end - 1} of {name} are missing from its log")
