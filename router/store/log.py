"""One environment's log: entries under dense offsets, read by offset or by time.

The key of an entry is the offset of its first event, eight bytes big-endian. An offset belongs to one event and is
never used again within an epoch.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Self, TypeVar

from msgspec import Struct

from router import records
from router.names import EnvironmentName
from router.records import Entry
from router.store.engine import Batch, Damaged, Engine
from router.store.meta import LogRow, Meta
from router.store.segments import Segments

KEY_BYTES: Final = 8


def key_of(offset: int) -> bytes:
    return offset.to_bytes(KEY_BYTES, "big")


class Stored(Struct, frozen=True):
    """An entry where it stands: `first` is the offset of its first event."""

    first: int
    entry: Entry

    @classmethod
    def of(cls, first: int, value: bytes) -> Self:
        """From what is stored.

        Raises:
            ValueError: it is no entry.
        """
        return cls(first, records.unpack(value))

    @property
    def end(self) -> int:
        """The offset after its last event."""
        return self.first + len(self.entry.events)


class Raws(Struct, frozen=True):
    """The JSON of an entry's events where it stands."""

    first: int
    raws: list[bytes]

    @classmethod
    def of(cls, first: int, value: bytes) -> Self:
        """As `Stored.of`."""
        return cls(first, records.raws(value))

    @property
    def end(self) -> int:
        """The offset after its last event."""
        return self.first + len(self.raws)


E = TypeVar("E", Stored, Raws)


@dataclass(frozen=True, slots=True)
class LogStatistics:
    """head: offset the next event gets; low: first offset kept; last_arrival: newest commit stamp, 0 when empty; bytes:
    of the entries kept, as they are stored; damage: stretches that cannot be read, as first and last offset."""

    head: int
    low: int
    last_arrival: int
    bytes: int = 0
    damage: tuple[tuple[int, int], ...] = ()


class Unreadable(Damaged):
    """Offsets `first` to `last` of a log cannot be read; what is before and behind them can."""

    def __init__(self, name: EnvironmentName, first: int, last: int, reason: str) -> None:
        super().__init__(f"events {first} to {last} of {name} {reason}")
        self.first = first
        self.last = last


class Log:
    """The entries of one environment. `head` may be ahead of what is durable: readers stop at the watermark instead."""

    __slots__ = ("_damage", "_family", "_segments", "_staged", "head", "last_arrival", "name", "row")

    def __init__(self, name: EnvironmentName, engine: Engine, row: LogRow) -> None:
        self.name = name
        self.row = row
        self._family = engine.family(row.family)
        self.head = row.low
        self.last_arrival = 0
        last = self._family.last()
        if last is not None:
            stored = _decode(name, *last, Stored.of)
            self.head = stored.end
            self.last_arrival = stored.entry.arrived
        self._staged = self.head
        self._damage: list[tuple[int, int, str]] = []
        self._segments = Segments(engine, row.number)
        marked, _ = self._segments.last
        try:
            for _, value in self._family.scan(key_of(marked)):
                self._segments.add(len(value))
        except Damaged:
            self._look_through(marked)

    @property
    def epoch(self) -> str:
        return self.row.epoch

    @property
    def low(self) -> int:
        return self.row.low

    @property
    def fault(self) -> str | None:
        """What cannot be read of what is kept, as far as reading has met it; None while all is well."""
        if not self._damage:
            return None
        return next((text for _, last, text in self._damage if last >= self.low), None)

    def stage(self, batch: Batch, arrived: int, body: bytes, count: int) -> int:
        """Put an entry of `count` events, packed by `records.pack_body`, into `batch`; returns its first offset.

        The offsets are only lent until `advance` says that the batch was written, or `retract` that it was not.
        """
        first = self._staged
        value = records.seal(arrived, body)
        batch.put(self._family, key_of(first), value)
        self._segments.stage(batch, first, len(value))
        self._staged = first + count
        return first

    def advance(self, arrived: int) -> None:
        """The batch is written: what was staged is part of the log."""
        self.head = self._staged
        self.last_arrival = arrived
        self._segments.advance()

    def retract(self) -> None:
        """The batch was not written: its offsets are free again."""
        self._staged = self.head
        self._segments.retract()

    def read(self, offset: int, end: int) -> Iterator[Stored]:
        """Entries in order, beginning with the one that holds `offset`, up to those that begin before `end`.

        The first may begin before `offset`. Lazy: take no more than a chunk before giving way to others.

        Raises:
            Unreadable: an entry cannot be read, or one is missing: offsets are dense. Those before it were handed out.
        """
        return self._scan(offset, end, Stored.of)

    def read_raws(self, offset: int, end: int) -> Iterator["Raws"]:
        """As `read`, of each event its JSON alone."""
        return self._scan(offset, end, Raws.of)

    def _scan(self, offset: int, end: int, of: Callable[[int, bytes], E]) -> Iterator[E]:
        if offset >= end:
            return
        expected = offset
        try:
            for key, value in self._family.scan(self._start(offset), key_of(end)):
                stored = _decode(self.name, key, value, of)
                if stored.end <= offset:
                    continue
                if stored.first > expected:
                    raise self._unreadable(expected, stored.first - 1, "are missing from its log")
                expected = stored.end
                yield stored
        except Unreadable:
            raise
        except Damaged as error:
            raise self._unreadable(
                expected, self._next_readable(expected, end) - 1, f"cannot be read: {error}"
            ) from error
        if expected < end:
            raise self._unreadable(expected, end - 1, "are missing from its log")

    def _start(self, offset: int) -> bytes:
        """Key of the entry that holds `offset`."""
        try:
            found = self._family.floor(key_of(offset))
        except Damaged:
            # Looking back touches the block before as well, which may be the damaged one.
            if self._family.get(key_of(offset)) is None:
                raise
            return key_of(offset)
        return found[0] if found else key_of(offset)

    def _look_through(self, offset: int) -> None:
        """Find every damaged stretch from `offset` on."""
        while offset < self.head:
            try:
                for stored in self.read(offset, self.head):
                    offset = stored.end
            except Unreadable as error:
                offset = error.last + 1

    def _unreadable(self, first: int, last: int, reason: str) -> Unreadable:
        found = Unreadable(self.name, first, last, reason)
        if not any(known <= first <= until for known, until, _ in self._damage):
            self._damage.append((first, last, str(found)))
        return found

    def _next_readable(self, offset: int, end: int) -> int:
        """Offset of the first entry after `offset` that can be read again; `end` where there is none before it.

        Damage is in blocks, so what is readable begins at one place: a search by doubling and halving finds it.
        """
        bad, step = offset, 1
        while bad + step < end and self._entry_from(bad + step, end) is None:
            bad, step = bad + step, step * 2
        good = min(bad + step, end)
        while good - bad > 1:
            middle = (bad + good) // 2
            if self._entry_from(middle, end) is None:
                bad = middle
            else:
                good = middle
        found = self._entry_from(good, end) if good < end else end
        return end if found is None else found

    def _entry_from(self, offset: int, end: int) -> int | None:
        """Offset of the first entry at or after `offset`, `end` where there is none; None where it cannot be read."""
        try:
            for key, value in self._family.scan(key_of(offset), key_of(end)):
                return _decode(self.name, key, value, Raws.of).first
        except Damaged:
            return None
        return end

    def offset_at(self, time: int, end: int) -> int:
        """Offset of the first event before `end` that arrived at `time` (unix ms) or later; `end` when there is none.

        A binary search: commit stamps never decrease with the offset.
        """
        low, high = self.low, end
        while low < high:
            middle = (low + high) // 2
            item = self._family.floor(key_of(middle))
            if item is None:
                raise self._unreadable(low, middle - 1, "are missing from its log")
            if records.arrival(item[1]) >= time:
                high = int.from_bytes(item[0], "big")
            else:
                low = max(middle, _decode(self.name, *item, Raws.of).end - 1) + 1
        return min(low, end)

    def cut(self, most: int) -> int:
        """The low mark that leaves at most `most` bytes of entries, or the present one when they are not more."""
        return max(self.low, self._segments.cut(most))

    def size_from(self, low: int) -> int:
        """Bytes of the entries from offset `low` on, as they are stored, to within a segment."""
        return self._segments.size(low)

    def trim(self, batch: Batch, meta: Meta, low: int) -> None:
        """Let the batch delete every entry before the one that holds `low` and move the low mark there.

        `trimmed` follows when it is written. An entry is kept whole.
        """
        row = meta.trimmed(self.row, self._begin(low))
        meta.put(batch, self.name, row)
        batch.delete_range(self._family, key_of(0), key_of(row.low))
        self._segments.trim(batch, row.low)

    def trimmed(self, low: int) -> None:
        """The batch of `trim` is written: readers before the low mark are told of the gap from here on."""
        self.row = replace(self.row, low=max(self.row.low, self._begin(low)))
        self._segments.trimmed(self.row.low)

    def reclaim(self) -> None:
        """Give the disk back what lies before the low mark. Takes long; call it in a thread."""
        self._family.compact(key_of(0), key_of(self.row.low))

    def _begin(self, offset: int) -> int:
        if offset >= self.head:
            return self.head
        found = self._family.floor(key_of(offset))
        return self.low if found is None else max(self.low, int.from_bytes(found[0], "big"))

    def _ranges(self) -> tuple[tuple[int, int], ...]:
        return tuple((first, last) for first, last, _ in self._damage if last >= self.low)

    def statistics(self) -> LogStatistics:
        return LogStatistics(self.head, self.low, self.last_arrival, self._segments.size(self.low), self._ranges())


def _decode(name: EnvironmentName, key: bytes, value: bytes, of: Callable[[int, bytes], E]) -> E:
    try:
        return of(int.from_bytes(key, "big"), value)
    except ValueError as error:
        raise Damaged(f"the entry at offset {int.from_bytes(key, 'big')} of {name} cannot be read: {error}") from error
