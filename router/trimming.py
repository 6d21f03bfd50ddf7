"""Memory goes back to the system when a peak is over.

What a peak leaves behind, measured with 5,000 connections that came and went:

- trio keeps up to a thousand scopes that have ended in its heap of deadlines, until their deadlines come or more of
  them end; each may hold the last page of a block that is free but for it;
- the collector's free lists and its seldom looks hold others;
- glibc gives the top of a heap back by itself, but not the holes in it.

So when a peak has ended, all three are seen to: never more than a hundredth of the time.
"""

import ctypes
import gc
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
import trio

from router.actors.actor import Context
from router.store.threads import Threads

LOOK: Final = 1.0  # seconds between two looks
GROWN: Final = 4 * 1024 * 1024  # bytes of growth since the last round that are a reason
SETTLED: Final = 256 * 1024  # bytes of growth between two looks at which a peak is not over yet
CROWD: Final = 50  # connections that are worth a round when they are gone
ROUNDS: Final = (0.0, 4.0, 16.0, 60.0)
"""Seconds before each round after one reason: tasks that go on have things in the peak's memory, which they leave with
time, one by one."""
SHARE: Final = 100  # times as long as a round took, nothing is done; at 1000 a busy machine was 100 s late
STALE: Final = 1000  # ended scopes that trio keeps whatever their number; `DEADLINE_HEAP_MIN_PRUNE_THRESHOLD`

_log = structlog.get_logger(__name__)
_STATM: Final = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class TrimmingStatistics:
    """rounds: since the start; returned: bytes that went back in them; took: seconds that all of them held the loop."""

    rounds: int
    returned: int
    took: float


class Ebb:
    """Says when a peak of memory or of connections has ended. Times are seconds of any clock, sizes bytes.

    resident: at the start.
    """

    def __init__(self, resident: int) -> None:
        self._base = resident
        self._previous = resident
        self._peak = 0
        self._left: list[float] = []
        self._not_before = 0.0

    def due(self, now: float, resident: int, connections: int) -> bool:
        """Whether a round is to be made now; to be asked at every look."""
        settled = resident <= self._previous + SETTLED
        self._previous = resident
        self._peak = max(self._peak, connections)
        if self._peak - connections >= max(CROWD, self._peak // 2):
            self._peak = connections
            self._left = list(ROUNDS)
        if resident >= self._base + GROWN:
            self._base = resident
            self._left = list(ROUNDS)
        return bool(self._left) and settled and now >= self._not_before

    def done(self, now: float, resident: int, took: float) -> None:
        """A round is over, which held the loop for so long."""
        self._base = self._previous = resident
        self._left = self._left[1:]
        self._not_before = now + max(took * SHARE, self._left[0] if self._left else 0.0)


class Trimming:
    """Actor. Looks every second whether a peak is over; the counts go over all incarnations.

    connections: open now.
    """

    def __init__(self, connections: Callable[[], int], threads: Threads) -> None:
        self._connections = connections
        self._threads = threads
        self._release = releaser()
        self._ebb: Ebb | None = None
        self._rounds = 0
        self._returned = 0
        self._took = 0.0

    def statistics(self) -> TrimmingStatistics:
        return TrimmingStatistics(self._rounds, self._returned, self._took)

    async def run(self, context: Context[Any]) -> None:
        context.started()
        self._ebb = self._ebb or Ebb(resident())
        while not context.stopping.is_set():
            with trio.move_on_after(LOOK):
                await context.stopping.wait()
            context.progress()
            if not context.stopping.is_set() and self._ebb.due(trio.current_time(), resident(), self._connections()):
                await self.round(self._ebb)

    async def round(self, ebb: Ebb) -> None:
        """Give back what can be given back."""
        before = resident()
        await forget_deadlines()
        begun = trio.current_time()
        gc.collect()
        took = trio.current_time() - begun
        await self._threads.cold(self._release)
        after = resident()
        ebb.done(trio.current_time(), after, took)
        self._rounds += 1
        self._returned += max(0, before - after)
        self._took += took
        _log.debug("memory trimmed", before=before, after=after, took=took)


async def forget_deadlines() -> None:
    """Have trio drop the ended scopes of its heap of deadlines: it does when there are enough of them, in its next
    turn."""
    far = trio.current_time() + 3600
    for _ in range(STALE + 100):
        with trio.CancelScope(deadline=far):  # noqa: ASYNC100 - it only comes and goes
            pass
    await trio.lowlevel.checkpoint()


def releaser() -> Callable[[], None]:
    """What gives free memory in the middle of the C library's heaps back; does nothing where that is not glibc."""
    library = ctypes.CDLL(None)
    if not hasattr(library, "malloc_trim"):
        return lambda: None
    trim = library.malloc_trim

    def release() -> None:
        trim(0)

    return release


def resident() -> int:
    """Bytes of this process that are in memory (proc(5), statm)."""
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
