"""What could not be taken in, and why: kept where an operator can read it, bounded in number, bytes and age.

Written in the same batch as the good events of its request, so that a request is never half dealt with.
"""

from collections import deque
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


class Quarantine:
    """The items of one environment; at most `most` of them and `most_bytes`, the oldest dropped first."""

    def __init__(self, engine: Engine, number: int, *, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._family = engine.family(FAMILY)
        self._prefix = number.to_bytes(4, "big")
        self._end = self._prefix + b"\xff" * 13
        self._most = most
        self._most_bytes = most_bytes
        self._held: deque[tuple[bytes, int]] = deque()
        self._staged: list[tuple[bytes, int]] = []
        self._bytes = 0
        self._dropped = 0
        self._sequence = 0
        for key, value in self._family.scan(self._prefix, self._end):
            self._admit(key, len(value))
            self._sequence = int.from_bytes(key[12:], "big") + 1

    def stage(self, batch: Batch, item: Item) -> None:
        """Put an item into the batch of its request's events; kept by `advance`, forgotten by `retract`."""
        key = self._prefix + item.time.to_bytes(8, "big") + self._sequence.to_bytes(4, "big")
        self._sequence = (self._sequence + 1) % 2**32
        row = (item.dialect, item.endpoint, item.reason, item.raw[:MAX_RAW], item.size)
        value: bytes = msgpack.packb(row)
        batch.put(self._family, key, value)
        self._staged.append((key, len(value)))

    def expire(self, batch: Batch, stamp: int) -> None:
        """Let the batch drop what is too old or too much. Call it with every batch that stages."""
        oldest = self._prefix + max(0, stamp - AGE * 1000).to_bytes(8, "big")
        room = self._most - len(self._staged)
        room_bytes = self._most_bytes - sum(size for _, size in self._staged)
        while self._held and (self._held[0][0] < oldest or len(self._held) > room or self._bytes > room_bytes):
            key, size = self._held.popleft()
            self._bytes -= size
            self._dropped += key >= oldest
            batch.delete(self._family, key)

    def advance(self) -> None:
        """The batch is written."""
        for key, size in self._staged:
            self._admit(key, size)
        self._staged.clear()

    def retract(self) -> None:
        """The batch was not written."""
        self._staged.clear()

    def newest(self, limit: int) -> Iterator[Item]:
        """At most `limit` items, the newest first."""
        for key, _ in list(self._held)[: -limit - 1 : -1]:
            value = self._family.get(key)
            if value is not None:
                yield Item(int.from_bytes(key[4:12], "big"), *msgpack.unpackb(value))

    def statistics(self) -> QuarantineStatistics:
        return QuarantineStatistics(len(self._held), self._bytes, self._dropped)

    def _admit(self, key: bytes, size: int) -> None:
        self._held.append((key, size))
        self._bytes += size
