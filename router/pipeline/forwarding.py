"""One forward of one environment: what it is to do, and how far it has come. Passive: it outlives its actor's lives."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from router.pipeline.outgoing import Outgoing
from router.pipeline.pacing import Pace
from router.pipeline.watermark import Watermark
from router.ranges import Ranges, Span
from router.records import Entry, Event
from router.store.cursors import Cursors, Row
from router.store.engine import Batch, Engine
from router.store.log import Log


class State(StrEnum):
    """IDLE: all is delivered. DELIVERING: on the way. RETRYING: the target cannot be reached, or asked for another try.
    PARKED: the target refuses until somebody changes something. CLOSED: outside its time of day. PACED: held back by a
    cap."""

    IDLE = "idle"
    DELIVERING = "delivering"
    RETRYING = "retrying"
    PARKED = "parked"
    CLOSED = "closed"
    PACED = "paced"


@dataclass(frozen=True, slots=True)
class ForwardingStatistics:
    """How a forward stands.

    reason: of the state, for people; empty when all is well. offset: all before it is dealt with. lag: durable events
    that are not. delivered, skipped, unsendable, set_aside, lost: events the target took; that were filtered out; that
    have no place there, or no key; that it refused one by one, kept in quarantine; that retention removed first.
    requests, retries, splits: of requests. bytes: of bodies sent. delivered_at: unix ms of the latest success, or 0.
    """

    name: str
    to: str
    state: State
    reason: str
    offset: int
    lag: int
    delivered: int
    skipped: int
    unsendable: int
    set_aside: int
    lost: int
    requests: int
    retries: int
    splits: int
    bytes: int
    delivered_at: int


@dataclass(slots=True)
class Tally:
    """The counters of `ForwardingStatistics`, since the start of the process."""

    delivered: int = 0
    skipped: int = 0
    unsendable: int = 0
    set_aside: int = 0
    lost: int = 0
    requests: int = 0
    retries: int = 0
    splits: int = 0
    bytes: int = 0
    delivered_at: int = 0


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events go on, beside what the target can take; None for all. latest: a forward that is new begins with what
    comes from then on, not with what is kept. newest_first: when it is behind."""

    kinds: frozenset[str] | None = None
    dialects: frozenset[str] | None = None
    latest: bool = False
    newest_first: bool = False


@dataclass(slots=True)
class Forwarding:
    """name: of its durable cursor, unique in the environment. settled: how far the log is on disk."""

    name: str
    to: str
    outgoing: Outgoing
    filter: Filter
    pace: Pace
    engine: Engine
    log: Log
    settled: Watermark
    cursors: Cursors
    state: State = State.IDLE
    reason: str = ""
    tally: Tally = field(default_factory=Tally)
    done: Ranges = field(default_factory=Ranges)

    def restore(self) -> None:
        """Take up where the durable cursor stands; at the beginning, or at the end, where there is none.

        A log that was restored has another epoch and the cursor of the moment of its backup: what was delivered by then
        is not sent again under a new name.
        """
        row = self.cursors.read(self.name)
        if row is None:
            row = Row(self.log.epoch, self.log.head if self.filter.latest else self.log.low, 0)
        head = self.log.head
        spans = ((0, row.offset), *row.beyond.spans)
        self.done = Ranges.of((first, min(end, head)) for first, end in spans)

    def save(self, now: int) -> None:
        """Write the cursor, not yet to the disk: after a loss of power some is sent again, which receivers recognise.

        Raises:
            Stalled, NoSpace: nothing was written; the next call writes what this one would have.
        """
        offset = self.offset
        beyond = Ranges(tuple(span for span in self.done.spans if span[0] > offset))
        batch = Batch()
        self.cursors.stage(batch, self.name, Row(self.log.epoch, offset, now, beyond))
        self.engine.write(batch)

    @property
    def offset(self) -> int:
        return self.done.reach(0)

    def pending(self) -> Iterator[Span]:
        """What is durable and not dealt with, in order."""
        return self.done.gaps(0, self.settled.end)

    def drop_lost(self, taken: Ranges) -> None:
        """Pass over what retention has removed, but for what is `taken`: it may be on the way."""
        for first, end in taken.gaps(0, self.log.low):
            self.lose(first, end)

    def lose(self, first: int, end: int) -> None:
        """Events from `first` up to `end` are gone."""
        self.tally.lost += end - first
        self.done = self.done.with_span(first, end)

    def wanted(self, entry: Entry, event: Event) -> bool:
        chosen = self.filter
        return (
            (chosen.kinds is None or event.kind in chosen.kinds)
            and (chosen.dialects is None or entry.dialect in chosen.dialects)
            and self.outgoing.wanted(entry, event)
        )

    def statistics(self) -> ForwardingStatistics:
        tally = self.tally
        return ForwardingStatistics(
            self.name,
            self.to,
            self.state,
            self.reason,
            self.offset,
            sum(end - first for first, end in self.pending()),
            tally.delivered,
            tally.skipped,
            tally.unsendable,
            tally.set_aside,
            tally.lost,
            tally.requests,
            tally.retries,
            tally.splits,
            tally.bytes,
            tally.delivered_at,
        )
