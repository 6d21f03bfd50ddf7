"""How far an environment's log is durable, and waking those who wait for more.

Passive: it outlives the actors that move it, so readers notice nothing when the committer is restarted.
"""

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

    def __init__(self, end: int) -> None:
        self.end = end
        self.closed = False
        self._lot = trio.lowlevel.ParkingLot()
        self._advances = 0

    def advance(self, end: int) -> None:
        """Everything before `end` is durable. Never moves back."""
        if end > self.end:
            self.end = end
            self._advances += 1
            self._lot.unpark_all()

    def close(self) -> None:
        """No reader shall wait any more: wakes all, and every later wait returns at once."""
        self.closed = True
        self._lot.unpark_all()

    def reopen(self) -> None:
        """Readers may wait again."""
        self.closed = False

    async def wait_beyond(self, offset: int) -> bool:
        """Wait until the event at `offset` is durable; False when the watermark was closed first."""
        while self.end <= offset:
            if self.closed:
                return False
            await self._lot.park()
        return True

    def statistics(self) -> WatermarkStatistics:
        return WatermarkStatistics(self.end, self._lot.statistics().tasks_waiting, self._advances)
