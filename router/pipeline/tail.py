"""The newest entries of a log as ready-made frames, shared by all readers near its head.

Each event's frame is built once, however many read it, and each stretch that several readers wait for is joined once.
Filled by the first reader that needs it, so an environment that nobody reads costs nothing.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from router.names import EnvironmentName
from router.pipeline.frames import Format, Whole
from router.pipeline.watermark import Watermark
from router.store.log import Log, Raws, Stored, Unreadable

MOST_BYTES: Final = 4 * 1024 * 1024  # of events' JSON; the frames of two formats make it about three times that
NEAR: Final = 8192  # events behind the head within which a reader is worth caching for
MEMO: Final = 16  # joined stretches kept for readers that stand at the same place


class Piece:
    """One entry with its frames, made when they are first asked for."""

    __slots__ = ("_frames", "_joined", "end", "first", "name", "prefix", "size", "stored")

    def __init__(self, name: EnvironmentName, prefix: str, stored: Stored) -> None:
        self.name = name
        self.prefix = prefix
        self.stored = stored
        self.first = stored.first
        self.end = stored.end
        self.size = sum(len(event.raw) for event in stored.entry.events)
        self._frames: dict[str, list[bytes | None]] = {}
        self._joined: dict[str, bytes] = {}

    def frame(self, style: Format, offset: int) -> bytes:
        """The frame of one of its events."""
        events = self.stored.entry.events
        frames = self._frames.setdefault(style.name, [None] * len(events))
        place = offset - self.first
        found = frames[place]
        if found is None:
            found = style.frame(self.name, f"{self.prefix}{offset}", self.stored.entry, events[place])
            frames[place] = found
        return found

    def joined(self, style: Format) -> bytes:
        """The frames of all its events, in order and in one piece."""
        found = self._joined.get(style.name)
        if found is None:
            name, prefix, entry, frame = self.name, self.prefix, self.stored.entry, style.frame
            if style.whole is not None:
                raws = [event.raw for event in entry.events]
                found = self._joined[style.name] = style.whole(prefix, raws, self.first)
                return found
            numbered = enumerate(entry.events, self.first)
            frames = [frame(name, f"{prefix}{offset}", entry, event) for offset, event in numbered]
            found = self._joined[style.name] = b"".join(frames)
        return found


class Stretch:
    """One entry's events as sent, and what writes them."""

    __slots__ = ("end", "first", "prefix", "raws", "whole")

    def __init__(self, prefix: str, stored: Raws, whole: Whole) -> None:
        self.prefix = prefix
        self.first = stored.first
        self.end = stored.end
        self.raws = stored.raws
        self.whole = whole

    def part(self, begin: int, end: int) -> tuple[bytes, int]:
        """The frames of the events from `begin` on and before `end`, and how many these are."""
        first = max(begin, self.first)
        raws = self.raws[first - self.first : max(0, end - self.first)]
        return self.whole(self.prefix, raws, first), len(raws)


@dataclass(frozen=True, slots=True)
class TailStatistics:
    """pieces: entries held; bytes: of their events' JSON; hits: steps of readers answered from here; misses: steps that
    read the log themselves."""

    pieces: int
    bytes: int
    hits: int
    misses: int


class Tail:
    """The cache of one environment."""

    def __init__(self, log: Log, watermark: Watermark, *, most: int = MOST_BYTES) -> None:
        self._log = log
        self._watermark = watermark
        self._most = most
        self._pieces: deque[Piece] = deque()
        self._bytes = 0
        self._memo: dict[tuple[int, int, str], tuple[bytes, int, int]] = {}
        self._hits = 0
        self._misses = 0

    def pieces(self, offset: int, end: int) -> Iterator[Piece]:
        """Entries in order from the one that holds `offset` to those that begin before `end`. Lazy, like `Log.read`.

        Raises:
            Unreadable: as `Log.read`.
        """
        if self._covers(offset):
            self._hits += 1
            yield from self._held(offset, end)
            return
        self._misses += 1
        name, prefix = self._log.name, f"{self._log.epoch}-"
        for stored in self._log.read(offset, end):
            yield Piece(name, prefix, stored)

    def stretches(self, offset: int, end: int, whole: Whole) -> Iterator[Piece | Stretch]:
        """As `pieces`, for a reader that wants every event as `whole` writes it: what is not held costs half.

        Raises:
            Unreadable: as `Log.read`.
        """
        if self._covers(offset):
            self._hits += 1
            yield from self._held(offset, end)
            return
        self._misses += 1
        prefix = f"{self._log.epoch}-"
        for stored in self._log.read_raws(offset, end):
            yield Stretch(prefix, stored, whole)

    def memo(self, key: tuple[int, int, str]) -> tuple[bytes, int, int] | None:
        """What a reader at the same place was given: bytes, number of events, next offset."""
        return self._memo.get(key)

    def remember(self, key: tuple[int, int, str], made: tuple[bytes, int, int]) -> None:
        """Keep what a reader was given for others that stand where it stood."""
        while len(self._memo) >= MEMO:
            del self._memo[next(iter(self._memo))]
        self._memo[key] = made

    def statistics(self) -> TailStatistics:
        return TailStatistics(len(self._pieces), self._bytes, self._hits, self._misses)

    def _covers(self, offset: int) -> bool:
        """Whether everything from `offset` to the watermark is held, after making it so where it is near enough. Of a
        log that is damaged nothing is held: each reader then meets the damage in its own place."""
        if self._log.fault is not None:
            self._clear()
            return False
        end = self._watermark.end
        pieces = self._pieces
        if not pieces or pieces[-1].end < end:
            if end - offset > NEAR:
                return False
            held = pieces[-1].end if pieces else None
            if held is None or end - held > NEAR or held < self._log.low:
                self._clear()
                held = offset
            try:
                self._extend(held, end)
            except Unreadable:
                self._clear()
                return False
        return bool(pieces) and pieces[0].first <= offset

    def _extend(self, start: int, end: int) -> None:
        name, prefix = self._log.name, f"{self._log.epoch}-"
        for stored in self._log.read(start, end):
            piece = Piece(name, prefix, stored)
            self._pieces.append(piece)
            self._bytes += piece.size
        while self._bytes > self._most and len(self._pieces) > 1:
            self._bytes -= self._pieces.popleft().size

    def _held(self, offset: int, end: int) -> Iterator[Piece]:
        pieces = self._pieces
        place = len(pieces)
        while place and pieces[place - 1].end > offset:  # readers stand near the end: looked for from there
            place -= 1
        for number in range(place, len(pieces)):
            piece = pieces[number]
            if piece.first >= end:
                return
            yield piece

    def _clear(self) -> None:
        self._pieces.clear()
        self._memo.clear()
        self._bytes = 0
