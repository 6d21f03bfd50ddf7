"""Sets of offsets as disjoint ranges: what of a log has been dealt with, when not all of it in order."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

Span = tuple[int, int]
"""Offsets from the first up to, not including, the second."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """Offsets, held as sorted spans that neither overlap nor touch. `with_span` keeps them so."""

    spans: tuple[Span, ...] = ()

    @classmethod
    def of(cls, spans: Iterable[Span]) -> "Ranges":
        """The union of `spans`, in any order, overlapping or not."""
        joined: list[Span] = []
        for first, end in sorted(span for span in spans if span[0] < span[1]):
            if joined and first <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(joined[-1][1], end))
            else:
                joined.append((first, end))
        return cls(tuple(joined))

    def __contains__(self, offset: int) -> bool:
        place = bisect_right(self.spans, (offset, _BEYOND)) - 1
        return place >= 0 and offset < self.spans[place][1]

    def with_span(self, first: int, end: int) -> "Ranges":
        """These and the offsets from `first` up to `end`."""
        if first >= end:
            return self
        if not self.spans or first > self.spans[-1][1]:
            return Ranges((*self.spans, (first, end)))
        return Ranges.of((*self.spans, (first, end)))

    def gaps(self, first: int, end: int) -> Iterator[Span]:
        """The spans of the offsets from `first` up to `end` that are not held, in order."""
        for begin, stop in self.spans:
            if begin >= end:
                break
            if begin > first:
                yield first, begin
            first = max(first, stop)
        if first < end:
            yield first, end

    def reach(self, first: int) -> int:
        """The first offset from `first` on that is not held."""
        for begin, stop in self.spans:
            if begin <= first < stop:
                return stop
        return first


NOTHING: Final = Ranges()
_BEYOND: Final = 2**64
