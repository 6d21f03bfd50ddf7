"""Which requests and events were stored lately, so that a retry is stored once.

One row per stored request, written in the same batch as its events: a request is known exactly when its events are
kept, also after a crash. Marking it before that would turn a retry into a loss; marking it after, into a double.

The window is looked up in memory alone. It is bounded in time and in number; when the number is reached the oldest go
first, which `statistics` tells.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from msgspec import Struct

from router.store.engine import Batch, Engine

FAMILY: Final = "dedup"
DIGEST_BYTES: Final = 16
GENERATIONS: Final = 8  # steps in which old identities are forgotten
MOST: Final = 400_000  # identities held per environment, about 75 MB when full (measured, 187 B each)
_NONE: Final = bytes(DIGEST_BYTES)


def digest(identity: bytes) -> bytes:
    """What is kept of an identity: 16 bytes, so that two different ones never meet in practice."""
    return blake2b(identity, digest_size=DIGEST_BYTES).digest()


class Identities(Struct, frozen=True):
    """What makes a request recognisable. request: digest of its identity, or None. events: digests, one per event in
    order, or empty where single events are not told apart."""

    request: bytes | None = None
    events: tuple[bytes, ...] = ()

    def __bool__(self) -> bool:
        return self.request is not None or bool(self.events)


NO_IDENTITIES: Final = Identities()


@dataclass(frozen=True, slots=True)
class DedupStatistics:
    """held: identities in memory; oldest: unix s of the oldest; crowded_out: forgotten early because of the number."""

    held: int
    oldest: int
    crowded_out: int


@dataclass(slots=True)
class _Generation:
    """Identities that were stored from `since` on, unix s, for an eighth of the window at most."""

    since: int
    requests: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    events: dict[bytes, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.requests) + len(self.events)


class DedupWindow:
    """The window of one environment, `seconds` long, at most `most` identities.

    number: of the environment's log, which scopes the rows. now: unix ms, to leave out what is too old when loading.
    """

    def __init__(self, engine: Engine, number: int, *, seconds: float, now: int, most: int = MOST) -> None:
        self._family = engine.family(FAMILY)
        self._prefix = number.to_bytes(4, "big")
        self._seconds = seconds
        self._most = most
        self._step = max(1, int(seconds / GENERATIONS))
        self._generations: deque[_Generation] = deque()
        self._held = 0
        self._crowded_out = 0
        self._trimmed = 0
        self._looked = -1  # second of the latest look for what is too old: each group asks, and nothing ages within one
        self._staged: list[tuple[int, int, int, Identities]] = []
        self._fresh = _Generation(0)
        for row in self._rows(self._oldest(now)):
            self._admit(*row)

    def resize(self, seconds: float) -> None:
        """Change the length; what a longer one would still have known is not looked up again."""
        self._seconds = seconds
        self._step = max(1, int(seconds / GENERATIONS))
        self._looked = -1

    def request(self, identity: bytes) -> tuple[int, int] | None:
        """(first, last) offset of the request with this digest, or None where it is not known."""
        for generation in self._live():
            found = generation.requests.get(identity)
            if found is not None:
                return found
        return None

    def event(self, identity: bytes) -> int | None:
        """Offset of the event with this digest, or None where it is not known."""
        for generation in self._live():
            found = generation.events.get(identity)
            if found is not None:
                return found
        return None

    def stage(self, batch: Batch, stamp: int, first: int, count: int, identities: Identities) -> None:
        """Put the row of a request, stored at `first`, into the batch of its events; known at once, for the copies that
        are in the same batch, and kept by `advance` or forgotten by `retract`."""
        second = stamp // 1000
        key = self._prefix + second.to_bytes(4, "big") + first.to_bytes(8, "big")
        row = count.to_bytes(4, "big") + (identities.request or _NONE) + b"".join(identities.events)
        batch.put(self._family, key, row)
        self._staged.append((second, first, count, identities))
        _enter(self._fresh, first, count, identities)

    def advance(self) -> None:
        """The batch is written."""
        if self._staged:
            for row in self._staged:
                self._admit(*row)
            self.retract()

    def retract(self) -> None:
        """The batch was not written, or is dealt with."""
        if self._staged:
            self._staged.clear()
            self._fresh = _Generation(0)

    def expire(self, batch: Batch, stamp: int) -> None:
        """Forget what is older than the window, in memory and, in steps of an eighth of it, by `batch` on disk."""
        second = stamp // 1000
        if second == self._looked:
            return
        self._looked = second
        oldest = self._oldest(stamp)
        while self._generations and self._generations[0].since + self._step <= oldest:
            self._held -= len(self._generations.popleft())
        if oldest - self._trimmed >= self._step:
            self._trimmed = oldest
            batch.delete_range(self._family, self._prefix, self._prefix + oldest.to_bytes(4, "big"))

    def statistics(self) -> DedupStatistics:
        oldest = self._generations[0].since if self._generations else 0
        return DedupStatistics(self._held, oldest, self._crowded_out)

    def _live(self) -> Iterator[_Generation]:
        """Newest first: a retry mostly comes within seconds."""
        yield self._fresh
        yield from reversed(self._generations)

    def _admit(self, second: int, first: int, count: int, identities: Identities) -> None:
        newest = self._generations[-1] if self._generations else None
        if newest is None or second - newest.since >= self._step or len(newest) >= self._most // GENERATIONS:
            newest = _Generation(second)
            self._generations.append(newest)
        before = len(newest)
        _enter(newest, first, count, identities)
        self._held += len(newest) - before
        while self._held > self._most and len(self._generations) > 1:
            gone = len(self._generations.popleft())
            self._held -= gone
            self._crowded_out += gone

    def _oldest(self, now: int) -> int:
        return max(0, int(now / 1000 - self._seconds))

    def _rows(self, oldest: int) -> Iterator[tuple[int, int, int, Identities]]:
        end = self._prefix + b"\xff" * 13
        for key, row in self._family.scan(self._prefix + oldest.to_bytes(4, "big"), end):
            request = row[4 : 4 + DIGEST_BYTES]
            events = row[4 + DIGEST_BYTES :]
            identities = Identities(
                None if request == _NONE else request,
                tuple(events[n : n + DIGEST_BYTES] for n in range(0, len(events), DIGEST_BYTES)),
            )
            yield (
                int.from_bytes(key[4:8], "big"),
                int.from_bytes(key[8:16], "big"),
                int.from_bytes(row[:4], "big"),
                identities,
            )


def _enter(generation: _Generation, first: int, count: int, identities: Identities) -> None:
    if identities.request is not None:
        generation.requests[identities.request] = (first, first + count - 1)
    generation.events.update(zip(identities.events, range(first, first + count), strict=False))
