"""What one environment keeps that changes together: its log, dedup window, quarantine and watermark.

Passive: the committer alone changes it, and it outlives the committer's incarnations. Since there is one committer and
it works group by group, a copy of a request finds the first one either in the window or among what is staged: there is
no moment in between, and no state for requests in flight.
"""

from dataclasses import replace
from typing import Final

from msgspec import Struct

from router.pipeline.watermark import Watermark
from router.records import select
from router.store.dedup import NO_IDENTITIES, DedupWindow, Identities
from router.store.engine import Batch
from router.store.log import Log
from router.store.quarantine import Item, Quarantine
from router.store.sources import Sources

LOOK: Final = 1000  # ms between two looks for what has left the dedup window


class Relayed(Struct, frozen=True):
    """Events of another router's log: `bodies` are its entries, packed by `records.pack_body`, with how many events are
    in each. The other fields are those of `dialects.dialect.Origin`."""

    bodies: tuple[tuple[bytes, int], ...]
    source: str
    epoch: str
    offsets: tuple[int, ...]
    span: tuple[int, int]


class Append(Struct, frozen=True):
    """A batch to keep: `count` events packed by `records.pack_body`. Answered with `Committed`.

    set_aside: what of the request could not be taken in; kept in quarantine, under the stamp of the commit.
    relayed: where set, it holds the events instead of `body`, and `count` is their number.
    """

    body: bytes
    count: int
    identities: Identities = NO_IDENTITIES
    set_aside: tuple[Item, ...] = ()
    relayed: Relayed | None = None


class Committed(Struct, frozen=True):
    """Where the events are: offsets `first` to `last`, durable and visible; `last` is less than `first` without any.

    duplicates: how many of the batch were known already and not stored again; where that is all of them, `duplicate` is
    set and the offsets are those of the first time.
    """

    first: int
    last: int
    duplicates: int = 0
    duplicate: bool = False


class Ledger:
    """What one environment keeps; without a window every retry is stored again.

    settled: how far the log is on disk; the watermark itself, unless answers do not wait for the disk. What goes to
    other machines stops there: after a loss of power the offsets beyond it are given out again.
    """

    # Of 200 environments every object is out of the processor's caches when its turn comes: slots, flags and few calls
    # make a post there 2 µs cheaper.
    __slots__ = ("_look", "_more", "_remembered", "log", "quarantine", "settled", "sources", "watermark", "window")

    def __init__(
        self,
        log: Log,
        window: DedupWindow | None,
        quarantine: Quarantine,
        watermark: Watermark,
        sources: Sources,
        settled: Watermark | None = None,
    ) -> None:
        self.log = log
        self.window = window
        self.quarantine = quarantine
        self.watermark = watermark
        self.sources = sources
        self.settled = watermark if settled is None else settled
        self._more = False  # whether anything but the log and the window has something staged: it rarely has
        self._remembered = False  # whether the window has
        self._look = 0  # stamp from which on the window is asked again for what has left it

    def stage(self, batch: Batch, stamp: int, append: Append) -> Committed:
        """Put what is new of `append` into `batch`; the answer holds once the batch is durable.

        The batch also drops what has left the dedup window.
        """
        relayed = append.relayed
        if stamp >= self._look:
            self._look = stamp + LOOK
            if self.window is not None:
                self.window.expire(batch, stamp)
        if relayed is not None or append.set_aside:
            self._more = True
        committed = (
            self._stage_events(batch, stamp, append)
            if relayed is None
            else self._stage_relayed(batch, stamp, append.count, relayed)
        )
        if append.set_aside and not committed.duplicate:
            for item in append.set_aside:
                self.quarantine.stage(batch, replace(item, time=stamp))
            self.quarantine.expire(batch, stamp)
        return committed

    def _stage_events(self, batch: Batch, stamp: int, append: Append) -> Committed:
        if not append.count:
            return Committed(0, -1)
        identities, window = append.identities, self.window
        if identities is NO_IDENTITIES or window is None or not identities:
            first = self.log.stage(batch, stamp, append.body, append.count)
            return Committed(first, first + append.count - 1)
        if identities.request is not None:
            known = window.request(identities.request)
            if known is not None:
                return Committed(*known, append.count, duplicate=True)
        body, count, duplicates = append.body, append.count, 0
        if identities.events:
            offsets = [window.event(identity) for identity in identities.events]
            new = [place for place, offset in enumerate(offsets) if offset is None]
            duplicates = count - len(new)
            if not new:
                stored = [offset for offset in offsets if offset is not None]
                return Committed(min(stored), max(stored), duplicates, duplicate=True)
            if duplicates:
                body, count = select(body, new), len(new)
                # The batch as a whole has no place of its own in the log, so only its events are remembered.
                identities = Identities(None, tuple(identities.events[place] for place in new))
        first = self.log.stage(batch, stamp, body, count)
        self._remembered = True
        window.stage(batch, stamp, first, count, identities)
        return Committed(first, first + count - 1, duplicates)

    def _stage_relayed(self, batch: Batch, stamp: int, count: int, relayed: Relayed) -> Committed:
        """Keep what is not here yet. The span is dealt with either way, so that what its sender filtered out is no
        hole."""
        held = self.sources.held(relayed.source)
        self.sources.stage(batch, stamp, relayed.source, relayed.epoch, relayed.span)
        first = end = None
        place = stored = 0
        for body, size in relayed.bodies:
            offsets = relayed.offsets[place : place + size]
            place += size
            new = [index for index, offset in enumerate(offsets) if offset not in held]
            if not new:
                continue
            begin = self.log.stage(batch, stamp, body if len(new) == size else select(body, new), len(new))
            first = begin if first is None else first
            end = begin + len(new)
            stored += len(new)
        if first is None or end is None:
            return Committed(0, -1, count, duplicate=bool(count))
        return Committed(first, end - 1, count - stored)

    def advance(self, stamp: int) -> None:
        """The batch is written, not yet durable."""
        self.log.advance(stamp)
        if self._more:
            self._more = False
            self.quarantine.advance()
            self.sources.advance()
        if self._remembered:
            self._remembered = False
            if self.window is not None:
                self.window.advance()

    def retract(self) -> None:
        """The batch was not written."""
        self.log.retract()
        self._more = self._remembered = False
        self.quarantine.retract()
        self.sources.retract()
        if self.window is not None:
            self.window.retract()

    def publish(self) -> None:
        """What is written is durable: readers may see it."""
        self.watermark.advance(self.log.head)

    def settle(self, end: int) -> None:
        """Everything before `end` is on disk."""
        self.settled.advance(end)
