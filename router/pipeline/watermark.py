"""How far an environment's log is durable, and waking those who wait for more.

Passive: it outlives the actors that move it, so readers notice nothing when the committer is restarted.
"""

from collections.abc import Callable
from dataclasses import dataclass

import trio


@dataclass(frozen=True, slots=True)
class WatermarkStatistics:
    """end: offset after the last durable event; waiting: readers parked for more; advances: how often it moved."""

    end: int
    waiting: int
    advances: int


class Watermark:
    """`end` is the offset after the last event that an fdatasync has covered: readers stop before it."""

    __slots__ = ("_advances", "_listeners", "_lot", "_waiting", "closed", "end")

    def __init__(self, end: int) -> None:
        self.end = end
        self.closed = False
        self._lot = trio.lowlevel.ParkingLot()
        self._listeners: dict[object, Callable[[], None]] = {}
        self._advances = 0
        self._waiting = 0

    def advance(self, end: int) -> None:
        """Everything before `end` is durable. Never moves back."""
        if end > self.end:
            self.end = end
            self._advances += 1
            if self._waiting or self._listeners:
                self._tell()

    def close(self) -> None:
        """No reader shall wait any more: wakes all, and every later wait returns at once."""
        self.closed = True
        self._tell()

    def reopen(self) -> None:
        """Readers may wait again."""
        self.closed = False

    def listen(self, who: object, tell: Callable[[], None]) -> None:
        """Call `tell` whenever waiting readers are woken; it must neither raise nor take long."""
        self._listeners[who] = tell

    def unlisten(self, who: object) -> None:
        """Call it no more."""
        del self._listeners[who]

    async def wait_beyond(self, offset: int) -> bool:
        """Wait until the event at `offset` is durable; False when the watermark was closed first."""
        while self.end <= offset:
            if self.closed:
                return False
            self._waiting += 1
            try:
                await self._lot.park()
            finally:
                self._waiting -= 1
        return True

    def _tell(self) -> None:
        self._lot.unpark_all()
        for tell in self._listeners.values():
            tell()

    def statistics(self) -> WatermarkStatistics:
        return WatermarkStatistics(self.end, self._waiting, self._advances)
