"""A reader of one environment's log: a cursor, no queue. A slow one falls behind at the cost of a number.

Each step hands out everything between the cursor and the watermark, up to a bound, so that throughput rises with load
and memory per reader is constant whatever its lag. Near the head the frames come from the shared tail, behind it from
the log; it is one path.
"""

from dataclasses import dataclass
from math import inf

import trio
from msgspec import Struct

from router.names import Cursor
from router.pipeline.filters import EVERYTHING, Filter
from router.pipeline.frames import RAW, Format
from router.pipeline.tail import Piece, Stretch, Tail
from router.pipeline.watermark import Watermark
from router.store.log import Log, Unreadable

CHUNK_BYTES = 256 * 1024
CHUNK_ENTRIES = 1024


class Chunk(Struct, frozen=True):
    """Encoded events in order, in one piece; `events` of them. May be empty: nothing in this stretch was wanted."""

    data: bytes
    events: int


class Gap(Struct, frozen=True):
    """Offsets from `first` to `last` are not kept any more: `lost` events that this reader has not seen.

    reason: `retention`, or `damage` for what is on the disk and cannot be read.
    """

    first: int
    last: int
    reason: str = "retention"

    @property
    def lost(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class SubscriptionStatistics:
    """offset: next one to deliver; lag: durable events behind it; delivered: events handed out; gaps: announced."""

    offset: int
    lag: int
    delivered: int
    gaps: int


class Subscription:
    """Reads on from `offset`, the first one wanted, to before `until`, or for ever.

    wanted: events to hand out; the others are passed over. style: how they are written.
    """

    def __init__(
        self,
        log: Log,
        watermark: Watermark,
        tail: Tail,
        offset: int,
        *,
        wanted: Filter = EVERYTHING,
        style: Format = RAW,
        until: float = inf,
    ) -> None:
        self._log = log
        self._watermark = watermark
        self._tail = tail
        self._wanted = None if wanted.everything else wanted
        self._style = style
        self.offset = offset
        self.until = until
        self._delivered = 0
        self._gaps = 0

    @property
    def cursor(self) -> Cursor | None:
        """The place just after the last event dealt with; None before the first event of the log."""
        return Cursor(self._log.epoch, self.offset - 1) if self.offset > 0 else None

    @property
    def ready(self) -> bool:
        """Whether a step would not wait."""
        return self.offset >= self.until or self._watermark.end > self.offset or self._watermark.closed

    async def next(self) -> Chunk | Gap | None:
        """What comes next, waiting for it where the log has nothing more; None when the stream is to end.

        What cannot be read is handed out as a gap, never passed over in silence.
        """
        await self.wait()
        return None if self.ended else self.step()

    async def wait(self) -> None:
        """Wait until there is a step to take, or the stream is to end."""
        if self.offset < self.until:
            await self._watermark.wait_beyond(self.offset)
        # Reading holds the loop: with much to catch up on, others get a turn before every chunk. Before, not after:
        # a cancellation between reading and returning would lose what was read.
        await trio.lowlevel.checkpoint()

    @property
    def ended(self) -> bool:
        """Whether there is no further step."""
        return self.offset >= self.until or (self._watermark.closed and self._watermark.end <= self.offset)

    def step(self) -> Chunk | Gap:
        """What comes next, for a reader that knows there is something."""
        if self.offset < self._log.low:
            return self._gap(Gap(self.offset, self._log.low - 1))
        return self._read()

    def _gap(self, gap: Gap) -> Gap:
        self.offset = gap.last + 1
        self._gaps += 1
        return gap

    def _read(self) -> Chunk | Gap:
        begin, end = self.offset, int(min(self._watermark.end, self.until))
        key = (begin, end, self._style.name)
        if self._wanted is None and (made := self._tail.memo(key)) is not None:
            data, events, self.offset = made
            self._delivered += events
            return Chunk(data, events)
        parts: list[bytes] = []
        events = size = 0
        try:
            whole, tail = self._style.whole if self._wanted is None else None, self._tail
            found = tail.pieces(begin, end) if whole is None else tail.stretches(begin, end, whole)
            for scanned, piece in enumerate(found, 1):
                if isinstance(piece, Stretch):
                    data, count = piece.part(self.offset, end)
                    frames = [data]
                    events += count
                elif self._wanted is None and piece.first >= self.offset and piece.end <= end:
                    frames = [piece.joined(self._style)]
                    events += piece.end - piece.first
                else:
                    frames = self._some(piece, end)
                    events += len(frames)
                parts += frames
                size += sum(map(len, frames))
                self.offset = min(piece.end, end)
                if size >= CHUNK_BYTES or scanned >= CHUNK_ENTRIES:
                    break
        except Unreadable as error:
            if self.offset == begin:
                return self._gap(Gap(begin, error.last, "damage"))
            # What came before it goes out first; the next step meets the damage again.
        data = b"".join(parts)
        self._delivered += events
        if self._wanted is None:
            self._tail.remember(key, (data, events, self.offset))
        return Chunk(data, events)

    def _some(self, piece: Piece, end: int) -> list[bytes]:
        """Frames of the events of an entry that are wanted, from the cursor on and before `end`."""
        entry, wanted, style = piece.stored.entry, self._wanted, self._style
        return [
            piece.frame(style, offset)
            for offset, event in enumerate(entry.events, piece.first)
            if self.offset <= offset < end and (wanted is None or wanted.wants(entry.dialect, event))
        ]

    def statistics(self) -> SubscriptionStatistics:
        lag = max(0, self._watermark.end - self.offset)
        return SubscriptionStatistics(self.offset, lag, self._delivered, self._gaps)
