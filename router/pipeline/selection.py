"""A stretch of the log to be posted on: which of its events are wanted, and how it is cut when it is too much."""

from collections.abc import Callable
from dataclasses import dataclass

from router.ranges import Span
from router.records import Entry, Event
from router.store.log import Log, Unreadable

Wanted = Callable[[Entry, Event], bool]


@dataclass(frozen=True, slots=True)
class Slice:
    """Some events of the entry that begins at `first`, each with its offset."""

    first: int
    entry: Entry
    events: tuple[tuple[int, Event], ...]

    @property
    def whole(self) -> bool:
        return len(self.events) == len(self.entry.events)


@dataclass(frozen=True, slots=True)
class Selection:
    """What is wanted of the offsets in `span`, which is dealt with when its events are delivered.

    damaged: nothing is, since all of `span` is on the disk and cannot be read.
    """

    epoch: str
    span: Span
    slices: tuple[Slice, ...]
    damaged: bool = False

    @property
    def events(self) -> int:
        return sum(len(piece.events) for piece in self.slices)

    def halves(self) -> tuple["Selection", "Selection"] | None:
        """Two selections that make up this one, cut between entries where there are several; None for one event."""
        if len(self.slices) > 1:
            middle = len(self.slices) // 2
            left, right = self.slices[:middle], self.slices[middle:]
        elif self.slices and len(events := self.slices[0].events) > 1:
            only, middle = self.slices[0], len(events) // 2
            left = (Slice(only.first, only.entry, events[:middle]),)
            right = (Slice(only.first, only.entry, events[middle:]),)
        else:
            return None
        cut = right[0].events[0][0]
        return (
            Selection(self.epoch, (self.span[0], cut), left),
            Selection(self.epoch, (cut, self.span[1]), right),
        )


def select(log: Log, span: Span, wanted: Wanted, *, entries: int, size: int, scan: int = 1024) -> Selection:
    """The beginning of `span`: at most `entries` entries that have wanted events, and about `size` bytes of events.

    scan: entries looked at, at most, so that others have a turn. The span of the answer ends where it stopped reading;
    it is empty only if `span` is. What cannot be read is a selection of its own.
    """
    first, end = span
    slices: list[Slice] = []
    bytes_ = 0
    reached = first
    try:
        for scanned, stored in enumerate(log.read(first, end), 1):
            events = tuple(
                (offset, event)
                for offset, event in enumerate(stored.entry.events, stored.first)
                if first <= offset < end and wanted(stored.entry, event)
            )
            if events:
                bytes_ += sum(len(event.raw) for _, event in events)
                slices.append(Slice(stored.first, stored.entry, events))
            reached = min(stored.end, end)
            if len(slices) >= entries or bytes_ >= size or scanned >= scan:
                break
    except Unreadable as error:
        if reached == first:
            return Selection(log.epoch, (first, min(error.last + 1, end)), (), damaged=True)
    return Selection(log.epoch, (first, reached), tuple(slices))


def newest(log: Log, span: Span, count: int) -> Span:
    """The end of `span` that is about its last `count` events, begun where an entry begins."""
    first, end = span
    start = max(first, end - count)
    if start == first:
        return span
    try:
        for stored in log.read(start, end):
            return max(first, stored.first), end
    except Unreadable:
        pass  # whoever reads there is told
    return start, end
