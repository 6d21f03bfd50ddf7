"""Flag changes in the order of their time, each with its impact as far as it is known.

An index of them is in memory, so that a page, a count and a filter cost microseconds however many there are. The one
writer stages into it with its batch and says with `advance` that the batch was written; `load` reads it from the disk.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from router.changes import Change
from router.store.engine import Batch, Engine

FAMILY: Final = "changes"
_RECORDS: Final = b"t"


class Served(msgspec.Struct, array_like=True, frozen=True):
    """One value: how often it was served before and after; contexts: to how many, where single events tell."""

    value: bytes
    before: int
    after: int
    contexts_before: int | None = None
    contexts_after: int | None = None


class Impact(msgspec.Struct, array_like=True, frozen=True):
    """size: none, small, medium or large; percentage: 0 to 100; reason: what was counted, `evaluations` or
    `exposures`. All None while there is no traffic on one side."""

    size: str | None = None
    percentage: float | None = None
    reason: str | None = None
    served: tuple[Served, ...] = ()


class Record(msgspec.Struct, array_like=True, frozen=True):
    """A change as it is kept. aliases: further ids that it goes by."""

    change: Change
    impact: Impact = Impact()
    aliases: tuple[str, ...] = ()


class Place(NamedTuple):
    """What the index knows of a change; sorts by time."""

    time: int
    id: str
    flag: str
    everywhere: bool
    size: str | None
    version: int | None
    source: str


@dataclass(frozen=True, slots=True)
class ChangesStatistics:
    """held: changes."""

    held: int


_DECODER: Final = msgspec.msgpack.Decoder(Record)


class Changes:
    """The changes of one environment; `number` is that of its log."""

    def __init__(self, engine: Engine, number: int) -> None:
        self._family = engine.family(FAMILY)
        self._prefix = number.to_bytes(4, "big")
        self._places: list[Place] = []
        self._by_id: dict[str, Place] = {}
        self._by_flag: dict[str, list[Place]] = {}
        self._staged: dict[str, Record | None] = {}
        self._aliases: dict[str, str] = {}

    def load(self) -> None:
        """Read the index anew."""
        self._staged.clear()
        self._places = []
        self._by_id = {}
        self._by_flag = {}
        self._aliases = {}
        start = self._prefix + _RECORDS
        for _, value in self._family.scan(start, start + b"\xff" * 25):
            self._admit(_DECODER.decode(value))

    def __len__(self) -> int:
        return len(self._places)

    def place(self, id_: str) -> Place | None:
        """Where the change of this id, or alias, stands."""
        return self._by_id.get(self._aliases.get(id_, id_))

    def record(self, id_: str) -> Record | None:
        """The change of this id or alias, with what is staged of it."""
        own = self._aliases.get(id_, id_)
        if own in self._staged:
            return self._staged[own]
        place = self._by_id.get(own)
        if place is None:
            return None
        stored = self._family.get(self._key(place.time, place.id))
        return None if stored is None else _DECODER.decode(stored)

    def between(self, first: int, last: int) -> Sequence[Place]:
        """The places of the changes from `first` to `last`, unix ms, both included, the oldest first."""
        begin = bisect_left(self._places, first, key=_time)
        end = bisect_left(self._places, last + 1, key=_time)
        return self._places[begin:end]

    def of_flag(self, flag: str, first: int, last: int) -> list[Place]:
        """The same of one flag, with what is staged."""
        places = [
            place
            for place in self._by_flag.get(flag, ())
            if first <= place.time <= last and place.id not in self._staged
        ]
        places += [
            _place(record)
            for record in self._staged.values()
            if record is not None and record.change.flag == flag and first <= record.change.time <= last
        ]
        return sorted(places)

    def put(self, record: Record) -> None:
        """Stage a change, or its new state; one whose time is another than before moves."""
        self._staged[record.change.id] = record
        for alias in record.aliases:
            self._aliases[alias] = record.change.id

    def drop(self, id_: str) -> None:
        """Stage that a change is deleted."""
        self._staged[id_] = None

    def clear_all(self, batch: Batch) -> None:
        """Let the batch delete all changes of the environment; `load` afterwards."""
        batch.delete_range(self._family, self._prefix, (int.from_bytes(self._prefix, "big") + 1).to_bytes(4, "big"))

    def stage(self, batch: Batch) -> None:
        """Let the batch write what is staged."""
        for id_, record in self._staged.items():
            old = self._by_id.get(id_)
            time = None if record is None else record.change.time
            if old is not None and old.time != time:
                batch.delete(self._family, self._key(old.time, id_))
            if record is not None:
                batch.put(self._family, self._key(record.change.time, id_), msgspec.msgpack.encode(record))

    def advance(self) -> None:
        """The batch is written."""
        for id_, record in self._staged.items():
            self._dismiss(id_)
            if record is not None:
                self._admit(record)
        self._staged.clear()

    def statistics(self) -> ChangesStatistics:
        return ChangesStatistics(len(self._places))

    def _admit(self, record: Record) -> None:
        place = _place(record)
        insort(self._places, place)
        insort(self._by_flag.setdefault(place.flag, []), place)
        self._by_id[place.id] = place
        for alias in record.aliases:
            self._aliases[alias] = place.id

    def _dismiss(self, id_: str) -> None:
        place = self._by_id.pop(id_, None)
        if place is None:
            return
        del self._places[bisect_left(self._places, place)]
        of_flag = self._by_flag[place.flag]
        of_flag.remove(place)
        if not of_flag:
            del self._by_flag[place.flag]

    def _key(self, time: int, id_: str) -> bytes:
        return b"".join((self._prefix, _RECORDS, max(0, time).to_bytes(8, "big"), id_.encode()))


def _place(record: Record) -> Place:
    change = record.change
    return Place(
        change.time, change.id, change.flag, change.everywhere, record.impact.size, change.version, change.source
    )


def _time(place: Place) -> int:
    return place.time
