"""Whether there is room on the disk: what decides between taking events and telling senders to come back."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpaceStatistics:
    """free: bytes at the last look; min_free: least that must be free; full: the database met a full disk and no write
    has succeeded since; refusals: how often room ran out."""

    free: int
    min_free: int
    full: bool
    refusals: int


class Space:
    """Passive: measured by the sweeper, told of failed writes by the committer, asked before every post."""

    def __init__(self, min_free: int) -> None:
        self.min_free = min_free
        self._free = 0
        self._measured = False
        self._full = False
        self._unproven = False
        self._refusals = 0

    @property
    def unproven(self) -> bool:
        """Whether there is room as far as is known, and a write has to show that the database can use it.

        While room is short nothing is written, so a flush may have met the full disk unnoticed; the database then
        takes up to five seconds until it writes again.
        """
        return self._full or (self._unproven and self._free >= self.min_free)

    @property
    def reason(self) -> str | None:
        """Why nothing can be stored now; None while there is room."""
        if self._full:
            return "the disk is full: free some space, and the router goes on by itself"
        if self._measured and self._free < self.min_free:
            return (
                f"{self._free} bytes of disk are free and storage.min_free asks for {self.min_free}: free some space, "
                "and the router goes on by itself"
            )
        if self._unproven:
            return "the disk was full, and the database does not write again yet: the router goes on by itself"
        return None

    def measured(self, free: int) -> None:
        """There are `free` bytes of disk."""
        before = self.reason
        self._free = free
        self._measured = True
        self._unproven = self._unproven or free < self.min_free
        self._count(before)

    def refused(self) -> None:
        """The database could not write for want of room."""
        before = self.reason
        self._full = True
        self._count(before)

    def written(self) -> None:
        """The database could write."""
        self._full = self._unproven = False

    def statistics(self) -> SpaceStatistics:
        return SpaceStatistics(self._free, self.min_free, self._full, self._refusals)

    def _count(self, before: str | None) -> None:
        if before is None and self.reason is not None:
            self._refusals += 1
