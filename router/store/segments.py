"""How much of a log lies before which offset: a mark for every mebibyte it grew, so that retention by bytes finds its
cut without reading, and a size is known at once after a restart.

Sizes are of stored entries before the database compresses them: what lies on the disk is less.
"""

from bisect import bisect_left, bisect_right
from typing import Final

from router.store.engine import Batch, Engine

FAMILY: Final = "segments"
SEGMENT: Final = 1024 * 1024  # bytes; 10 GiB make 10,240 marks, 20 bytes each


class Segments:
    """The marks of one log. Staged, advanced and retracted together with the log's entries."""

    __slots__ = ("_due", "_family", "_offsets", "_prefix", "_staged", "_staged_total", "_totals", "total")

    def __init__(self, engine: Engine, number: int) -> None:
        self._family = engine.family(FAMILY)
        self._prefix = number.to_bytes(4, "big")
        self._offsets: list[int] = []
        self._totals: list[int] = []
        for key, value in self._family.scan(self._prefix, self._prefix + b"\xff" * 9):
            self._offsets.append(int.from_bytes(key[4:], "big"))
            self._totals.append(int.from_bytes(value, "big"))
        self.total = self._totals[-1] if self._totals else 0
        self._staged: list[tuple[int, int]] = []
        self._staged_total = self.total
        self._due = self._next()

    @property
    def last(self) -> tuple[int, int]:
        """Offset of the last mark, and the bytes before it; zeros where there is none."""
        return (self._offsets[-1], self._totals[-1]) if self._offsets else (0, 0)

    def add(self, size: int) -> None:
        """Count an entry that stands in the log already, while it is being opened."""
        self.total += size
        self._staged_total = self.total

    def stage(self, batch: Batch, first: int, size: int) -> None:
        """An entry of `size` bytes is staged at offset `first`."""
        total = self._staged_total
        if total >= self._due:
            batch.put(self._family, self._prefix + first.to_bytes(8, "big"), total.to_bytes(8, "big"))
            self._staged.append((first, total))
            self._due = total + SEGMENT
        self._staged_total = total + size

    def advance(self) -> None:
        """The batch is written."""
        self.total = self._staged_total
        if self._staged:
            for first, total in self._staged:
                self._offsets.append(first)
                self._totals.append(total)
            self._staged.clear()

    def retract(self) -> None:
        """The batch was not written."""
        self._staged.clear()
        self._staged_total = self.total
        self._due = self._next()

    def size(self, low: int) -> int:
        """Bytes from offset `low` on, at most a segment too many."""
        place = bisect_right(self._offsets, low) - 1
        return self.total - (self._totals[place] if place >= 0 else 0)

    def cut(self, most: int) -> int:
        """The first offset to keep so that at most `most` bytes stay, at the border of a segment; 0 when all may."""
        if not self._totals or self.total - self._totals[0] <= most:
            return 0
        place = bisect_left(self._totals, self.total - most)
        return self._offsets[min(place, len(self._offsets) - 1)]

    def trim(self, batch: Batch, low: int) -> None:
        """Let the batch drop the marks that retention by `low` makes useless; `trimmed` follows when it is written."""
        keep = max(0, bisect_right(self._offsets, low) - 1)
        if keep:
            batch.delete_range(self._family, self._prefix, self._prefix + self._offsets[keep].to_bytes(8, "big"))

    def trimmed(self, low: int) -> None:
        """The batch of `trim` is written."""
        keep = max(0, bisect_right(self._offsets, low) - 1)
        del self._offsets[:keep], self._totals[:keep]

    def _next(self) -> int:
        """Bytes of the log at which the next mark is due."""
        return self._totals[-1] + SEGMENT if self._totals else 0
