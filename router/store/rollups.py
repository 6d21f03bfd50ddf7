"""Counts per flag, variation and minute, distinct contexts by sketch, and where the counting stands in the log.

Keys begin with the number of the environment's log and a table, then the flag and the minute, so that a question about
a flag and a time reads the rows of its answer and no others. Whatever changes goes into the caller's batch together
with the position: a replay from that position makes the same rows.

The rows of minutes that are being counted stay in memory, so that adding to one reads nothing. `forget` drops them, for
an incarnation that follows one whose batch may not have been written.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgpack

from router.store import sketches
from router.store.engine import Batch, Engine
from router.store.sketches import Sketch

FAMILY: Final = "rollups"
MINUTE: Final = 60  # seconds
HOUR_MINUTES: Final = 60
MOST_VARIATIONS: Final = 200  # rows of one minute; further ones are counted together, since values are senders' data
MOST_SKETCHES: Final = 32  # of one flag and minute
HOT: Final = 4096  # rows held in memory
HOT_SKETCHES: Final = 1024  # minutes of flags whose sketches are held in memory

EVALUATION: Final = "e"
EXPOSURE: Final = "x"
OTHERS: Final = b'"[others]"'

_COUNTS: Final = b"c"
_HOURS: Final = b"h"
_SKETCHES: Final = b"s"
_POSITION: Final = b"p"
_FLAG_END: Final = b"\0\0"


class Variation(NamedTuple):
    """What was served. of: `EVALUATION` or `EXPOSURE`. number: the variation's index, None where the fallback was
    served. version: of the flag. value: JSON."""

    of: str
    number: int | None
    version: int | None
    value: bytes


class Amount:
    """events: how many evaluations, or exposures, were told of. seconds: how many in each second of the row, exposures
    weighed by their sampling rate."""

    __slots__ = ("events", "seconds")

    def __init__(self, events: int = 0, seconds: dict[int, int | float] | None = None) -> None:
        self.events = events
        self.seconds: dict[int, int | float] = {} if seconds is None else seconds

    def add(self, second: int, amount: float, events: int) -> None:
        self.events += events
        self.seconds[second] = self.seconds.get(second, 0) + amount

    @property
    def total(self) -> int | float:
        return sum(self.seconds.values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Amount) and (self.events, self.seconds) == (other.events, other.seconds)

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"Amount({self.events}, {self.seconds})"


Row = dict[Variation, Amount]


class Seen(NamedTuple):
    """What a sketch is of: a variation by its number, or by its value where it has none, and the flag's version."""

    version: int | None
    number: int | None
    value: bytes


class Position(NamedTuple):
    """offset: of the first event that is not counted yet.

    counted, floor: while a rebuild goes on, events before the offset `counted` were in rows before, and those rows are
    still there for the minutes before `floor`; 0 otherwise."""

    offset: int = 0
    counted: int = 0
    floor: int = 0


@dataclass(frozen=True, slots=True)
class RollupStatistics:
    """rows: written since the start; sketches: the same; hot: rows in memory."""

    rows: int
    sketches: int
    hot: int


class Rollups:
    """The rows of one environment; `number` is that of its log."""

    def __init__(self, engine: Engine, number: int) -> None:
        self._family = engine.family(FAMILY)
        self._prefix = number.to_bytes(4, "big")
        self._hot: dict[bytes, Row] = {}
        self._hot_sketches: dict[bytes, dict[Seen, Sketch]] = {}
        self._rows = 0
        self._sketches = 0

    def forget(self) -> None:
        """Drop what is in memory: it may be ahead of what was written."""
        self._hot.clear()
        self._hot_sketches.clear()

    def trim(self) -> None:
        """The batch is written: hold no more than is worth it."""
        for held, most in ((self._hot, HOT), (self._hot_sketches, HOT_SKETCHES)):
            for key in list(held)[: max(0, len(held) - most)]:
                del held[key]

    def position(self) -> Position:
        """Where the counting stands."""
        found = self._family.get(self._prefix + _POSITION)
        return Position() if found is None else Position(*msgpack.unpackb(found))

    def move(self, batch: Batch, position: Position) -> None:
        """Put the position into the batch of the rows that it stands for."""
        batch.put(self._family, self._prefix + _POSITION, msgpack.packb(position))

    def add(self, batch: Batch, flag: str, minute: int, counts: Row) -> None:
        """Add `counts` to the row of a flag's minute, and to that of its hour."""
        self._add(batch, _COUNTS, flag, minute, counts)
        hour = {variation: Amount(amount.events, {0: amount.total}) for variation, amount in counts.items()}
        self._add(batch, _HOURS, flag, minute - minute % HOUR_MINUTES, hour)

    def see(self, batch: Batch, flag: str, minute: int, contexts: Mapping[Seen, Iterable[str]]) -> None:
        """Add contexts, in the order of the log, to the sketches of a flag's minute."""
        prefix = self._key(_SKETCHES, flag, minute)
        held = self._hot_sketches.get(prefix)
        if held is None:
            held = self._hot_sketches[prefix] = self._sketches_at(prefix)
        for seen, names in contexts.items():
            of = seen
            sketch = held.get(of)
            if sketch is None:
                if len(held) >= MOST_SKETCHES:
                    of = Seen(None, None, OTHERS)
                sketch = held.get(of) or held.setdefault(of, sketches.new())
            for name in names:
                sketch.update(name)
            batch.put(self._family, prefix + msgpack.packb(of), sketch.serialize_compact())
            self._sketches += 1

    def rows(self, flag: str, first: int, end: int) -> Iterator[tuple[int, Row]]:
        """(minute, row) of a flag's minutes from `first` up to, not including, `end`, in no order."""
        return self._scan(_COUNTS, flag, first, end)

    def hours(self, flag: str, first: int, end: int) -> Iterator[tuple[int, Row]]:
        """(minute, row) of the flag's hours that begin from `first` up to, not including, `end`; in each row all is in
        second 0."""
        return self._scan(_HOURS, flag, first, end)

    def sketches(self, flag: str, first: int, end: int) -> Iterator[tuple[int, Seen, Sketch]]:
        """(minute, what it is of, sketch) of a flag's minutes."""
        start, stop = self._key(_SKETCHES, flag, first), self._key(_SKETCHES, flag, end)
        at = len(start)
        for key, value in self._family.scan(start, stop):
            if key[:at] not in self._hot_sketches:
                minute = int.from_bytes(key[at - 4 : at], "big")
                yield minute, Seen(*msgpack.unpackb(key[at:])), sketches.read(value)
        for minute, prefix in self._held(_SKETCHES, flag, first, end, self._hot_sketches):
            for seen, sketch in self._hot_sketches[prefix].items():
                yield minute, seen, sketch

    def expire(self, batch: Batch, flag: str, minute: int) -> None:
        """Let the batch delete the flag's rows of before `minute`; hours go when they have ended before it."""
        hour = minute - minute % HOUR_MINUTES
        for table, until in ((_COUNTS, minute), (_SKETCHES, minute), (_HOURS, hour)):
            start, end = self._key(table, flag, 0), self._key(table, flag, until)
            # Every deleted range costs later reads a little, so there is none where there is nothing to delete.
            if next(self._family.scan(start, end), None) is not None:
                batch.delete_range(self._family, start, end)

    def clear(self, batch: Batch, flag: str, minute: int) -> None:
        """Let the batch delete the flag's rows from `minute`, the first of an hour, on."""
        self.forget()
        for table in (_COUNTS, _SKETCHES, _HOURS):
            end = self._key(table, flag, 2**32 - 1) + b"\xff"
            batch.delete_range(self._family, self._key(table, flag, minute), end)

    def clear_all(self, batch: Batch) -> None:
        """Let the batch delete all rows of the environment."""
        self.forget()
        for table in (_COUNTS, _SKETCHES, _HOURS):
            batch.delete_range(self._family, self._prefix + table, self._prefix + bytes((table[0] + 1,)))

    def statistics(self) -> RollupStatistics:
        return RollupStatistics(self._rows, self._sketches, len(self._hot))

    def _add(self, batch: Batch, table: bytes, flag: str, minute: int, counts: Row) -> None:
        key = self._key(table, flag, minute)
        row = self._hot.get(key)
        if row is None:
            found = self._family.get(key)
            row = {} if found is None else _unpack(found)
            self._hot[key] = row
        for variation, amount in counts.items():
            into = row.get(variation)
            if into is None:
                if len(row) >= MOST_VARIATIONS:
                    variation = Variation(variation.of, None, None, OTHERS)
                into = row.setdefault(variation, Amount())
            into.events += amount.events
            seconds = into.seconds
            for second, number in amount.seconds.items():
                seconds[second] = seconds.get(second, 0) + number
        batch.put(self._family, key, _pack(row))
        self._rows += 1

    def _scan(self, table: bytes, flag: str, first: int, end: int) -> Iterator[tuple[int, Row]]:
        """What is in memory stands in for what is on disk: it may be on the way there."""
        held = dict(self._held(table, flag, first, end, self._hot))
        for key, value in self._family.scan(self._key(table, flag, first), self._key(table, flag, end)):
            minute = int.from_bytes(key[-4:], "big")
            if minute not in held:
                yield minute, _unpack(value)
        for minute, key in held.items():
            yield minute, self._hot[key]

    def _held(
        self, table: bytes, flag: str, first: int, end: int, held: Mapping[bytes, object]
    ) -> Iterator[tuple[int, bytes]]:
        """(minute, key) of what `held` has of a flag's minutes."""
        prefix = self._key(table, flag, 0)[:-4]
        if end - first <= len(held):
            for minute in range(max(0, first), end):
                key = prefix + minute.to_bytes(4, "big")
                if key in held:
                    yield minute, key
        else:
            for key in list(held):
                if key.startswith(prefix) and first <= (minute := int.from_bytes(key[-4:], "big")) < end:
                    yield minute, key

    def _sketches_at(self, prefix: bytes) -> dict[Seen, Sketch]:
        end = prefix[:-4] + (int.from_bytes(prefix[-4:], "big") + 1).to_bytes(4, "big")
        return {
            Seen(*msgpack.unpackb(key[len(prefix) :])): sketches.read(value)
            for key, value in self._family.scan(prefix, end)
        }

    def _key(self, table: bytes, flag: str, minute: int) -> bytes:
        return b"".join((self._prefix, table, flag_key(flag), minute.to_bytes(4, "big")))


def flag_key(flag: str) -> bytes:
    """The flag's key with an end that no other flag's key goes on after."""
    return flag.encode().replace(b"\0", b"\0\xff") + _FLAG_END


def _pack(row: Row) -> bytes:
    packed: bytes = msgpack.packb([(*variation, amount.events, amount.seconds) for variation, amount in row.items()])
    return packed


def _unpack(stored: bytes) -> Row:
    items = msgpack.unpackb(stored, strict_map_key=False)
    return {Variation(*item[:4]): Amount(item[4], item[5]) for item in items}
