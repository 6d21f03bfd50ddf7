"""A reader of one environment's log: a cursor, no queue. A slow one falls behind at the cost of a number.

Each step hands out everything between the cursor and the watermark, up to a bound, so that throughput rises with load
and memory per reader is constant whatever its lag.
"""

from collections.abc import Callable
from dataclasses import dataclass

import trio

from router.names import Cursor
from router.pipeline.watermark import Watermark
from router.records import Event
from router.store.log import Log, Stored, Unreadable

CHUNK_BYTES = 256 * 1024
CHUNK_ENTRIES = 1024

Encode = Callable[[str, Stored, Event], bytes]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Encoded events in order, in one piece; `events` of them. May be empty: nothing in this stretch was wanted."""

    data: bytes
    events: int


@dataclass(frozen=True, slots=True)
class Gap:
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
    """Reads on from `offset`, the first one wanted. `encode` makes an event's bytes of its cursor, entry and self."""

    def __init__(self, log: Log, watermark: Watermark, offset: int, encode: Encode) -> None:
        self._log = log
        self._watermark = watermark
        self._encode = encode
        self.offset = offset
        self._delivered = 0
        self._gaps = 0

    @property
    def cursor(self) -> Cursor | None:
        """The place just after the last event dealt with; None before the first event of the log."""
        return Cursor(self._log.epoch, self.offset - 1) if self.offset > 0 else None

    async def next(self) -> Chunk | Gap | None:
        """What comes next, waiting for it where the log has nothing more; None when the stream is to end.

        What cannot be read is handed out as a gap, never passed over in silence.
        """
        if not await self._watermark.wait_beyond(self.offset):
            return None
        # Reading holds the loop: with much to catch up on, others get a turn before every chunk. Before, not after:
        # a cancellation between reading and returning would lose what was read.
        await trio.lowlevel.checkpoint()
        if self.offset < self._log.low:
            return self._gap(Gap(self.offset, self._log.low - 1))
        return self._read()

    def _gap(self, gap: Gap) -> Gap:
        self.offset = gap.last + 1
        self._gaps += 1
        return gap

    def _read(self) -> Chunk | Gap:
        epoch = self._log.epoch
        parts: list[bytes] = []
        size = 0
        try:
            for scanned, stored in enumerate(self._log.read(self.offset, self._watermark.end), 1):
                for offset, event in enumerate(stored.entry.events, stored.first):
                    if offset >= self.offset:
                        parts.append(self._encode(f"{epoch}-{offset}", stored, event))
                        size += len(parts[-1])
                self.offset = stored.end
                if size >= CHUNK_BYTES or scanned >= CHUNK_ENTRIES:
                    break
        except Unreadable as error:
            if not parts:
                return self._gap(Gap(error.first, error.last, "damage"))
            # What came before it goes out first; the next step meets the damage again.
        self._delivered += len(parts)
        return Chunk(b"".join(parts), len(parts))

    def statistics(self) -> SubscriptionStatistics:
        lag = max(0, self._watermark.end - self.offset)
        return SubscriptionStatistics(self.offset, lag, self._delivered, self._gaps)
