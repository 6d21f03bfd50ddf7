"""Time as an argument: the one place that reads the system's clocks."""

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for stamps that people read."""

    def now(self) -> int:
        """Unix time in milliseconds. May step in either direction when the host's clock is set."""
        ...


class SystemClock:
    """The host's clock."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000  # noqa: TID251 - the one place that may


def monotonic_usec() -> int:
    """CLOCK_MONOTONIC in microseconds, as the service manager counts; for nothing else."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


class ManualClock:
    """A clock for tests: stands still until it is set."""

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self.value = now

    def now(self) -> int:
        return self.value

    def advance(self, milliseconds: int) -> None:
        self.value += milliseconds


class Stamps:
    """Commit stamps that never decrease, whatever the host's clock does.

    The log is searched by time with a binary search over these, which a single step backwards would break.
    """

    def __init__(self, clock: Clock, last: int = 0) -> None:
        self._clock = clock
        self._last = last

    def next(self) -> int:
        self._last = max(self._last, self._clock.now())
        return self._last
