"""What could not be taken in, and why: kept where an operator can read it, bounded in number, bytes and age.

Written in the same batch as the good events of its request, so that a request is never half dealt with.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgpack

from router.store.engine import Batch, Engine

FAMILY: Final = "quarantine"
MOST: Final = 10_000
MOST_BYTES: Final = 16 * 1024 * 1024
MAX_RAW: Final = 64 * 1024  # bytes kept of one: enough to see what it was
AGE: Final = 7 * 24 * 3600  # seconds


@dataclass(frozen=True, slots=True)
class Item:
    """One part of a request that was set aside.

    time: commit stamp, unix ms. raw: as sent, cut to `MAX_RAW` bytes; size: bytes that it had.
    """

    time: int
    dialect: str
    endpoint: str
    reason: str
    raw: bytes
    size: int


@dataclass(frozen=True, slots=True)
class QuarantineStatistics:
    """held: items; bytes: of them; dropped: for want of room, since the start."""

    held: int
    bytes: int
    dropped: int


class _Index:
    """The rows held, oldest first, as (time, sequence, bytes). In one piece: as objects of their own, which stay for
    days, 5,000 of them kept the arenas in which they had been made at a peak, 2 MiB more (measured)."""

    def __init__(self) -> None:
        self._times = array("Q")
        self._sequences = array("I")
        self._sizes = array("I")
        self._first = 0

    def __len__(self) -> int:
        return len(self._times) - self._first

    def __getitem__(self, place: int) -> tuple[int, int, int]:
        place += self._first if place >= 0 else len(self._times)
        return self._times[place], self._sequences[place], self._sizes[place]

    def append(self, time: int, sequence: int, size: int) -> None:
        self._times.append(time)
        self._sequences.append(sequence)
        self._sizes.append(size)

    def popleft(self) -> None:
        self._first += 1
        if 2 * self._first > len(self._times):
            for column in (self._times, self._sequences, self._sizes):
                del column[: self._first]
            self._first = 0


class Quarantine:
    """The items of one environment; at most `most` of them and `most_bytes`, the oldest dropped first."""

    def __init__(self, engine: Engine, number: int, *, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._family = engine.family(FAMILY)
        self._prefix = number.to_bytes(4, "big")
        self._end = self._prefix + b"\xff" * 13
        self._most = most
        self._most_bytes = most_bytes
        self._held = _Index()
        self._staged: list[tuple[int, int, int]] = []
        self._bytes = 0
        self._dropped = 0
        self._sequence = 0
        for key, value in self._family.scan(self._prefix, self._end):
            sequence = int.from_bytes(key[12:], "big")
            self._admit(int.from_bytes(key[4:12], "big"), sequence, len(value))
            self._sequence = (sequence + 1) % 2**32

    def stage(self, batch: Batch, item: Item) -> None:
        """Put an item into the batch of its request's events; kept by `advance`, forgotten by `retract`."""
        sequence = self._sequence
        self._sequence = (sequence + 1) % 2**32
        row = (item.dialect, item.endpoint, item.reason, item.raw[:MAX_RAW], item.size)
        value: bytes = msgpack.packb(row)
        batch.put(self._family, self._key(item.time, sequence), value)
        self._staged.append((item.time, sequence, len(value)))

    def expire(self, batch: Batch, stamp: int) -> None:
        """Let the batch drop what is too old or too much. Call it with every batch that stages."""
        oldest = max(0, stamp - AGE * 1000)
        room = self._most - len(self._staged)
        room_bytes = self._most_bytes - sum(size for _, _, size in self._staged)
        while self._held:
            time, sequence, size = self._held[0]
            if time >= oldest and len(self._held) <= room and self._bytes <= room_bytes:
                break
            self._held.popleft()
            self._bytes -= size
            self._dropped += time >= oldest
            batch.delete(self._family, self._key(time, sequence))

    def advance(self) -> None:
        """The batch is written."""
        for row in self._staged:
            self._admit(*row)
        self._staged.clear()

    def retract(self) -> None:
        """The batch was not written."""
        self._staged.clear()

    def newest(self, limit: int) -> Iterator[Item]:
        """At most `limit` items, the newest first."""
        held = self._held  # it may change between two steps
        for time, sequence, _ in [held[-place] for place in range(1, min(limit, len(held)) + 1)]:
            value = self._family.get(self._key(time, sequence))
            if value is not None:
                yield Item(time, *msgpack.unpackb(value))

    def statistics(self) -> QuarantineStatistics:
        return QuarantineStatistics(len(self._held), self._bytes, self._dropped)

    def _admit(self, time: int, sequence: int, size: int) -> None:
        self._held.append(time, sequence, size)
        self._bytes += size

    def _key(self, time: int, sequence: int) -> bytes:
        return self._prefix + time.to_bytes(8, "big") + sequence.to_bytes(4, "big")
