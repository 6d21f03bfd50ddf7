"""How fast and when a forwarder may send: bytes and requests a second, and hours of the day. Pure: times are given."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Window:
    """A time of every day, UTC, in seconds from midnight: from `begin` to `end`, past midnight where that is less."""

    begin: float
    end: float

    def wait(self, second: float) -> float:
        """Seconds from `second` of the day until the window is open; 0 in it."""
        if (second - self.begin) % DAY < (self.end - self.begin) % DAY:
            return 0.0
        return (self.begin - second) % DAY


class Bucket:
    """So many a second on average, and what comes in one second at once. Spending may overdraw it: what is sent is
    sent, and paid for by waiting before the next."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._most = max(rate, 1.0)
        self._balance = self._most
        self._at: float | None = None

    def wait(self, now: float) -> float:
        """Seconds until something may be spent. now: seconds of a clock that does not go back."""
        self._fill(now)
        return 0.0 if self._balance > 0 else (1e-9 - self._balance) / self._rate

    def spend(self, amount: float, now: float) -> None:
        self._fill(now)
        self._balance -= amount

    def _fill(self, now: float) -> None:
        if self._at is not None:
            self._balance = min(self._most, self._balance + (now - self._at) * self._rate)
        self._at = now


class Pace:
    """The caps of one forwarder; None and no windows for none. bandwidth: bytes a second. rate: requests a second."""

    def __init__(
        self, *, bandwidth: float | None = None, rate: float | None = None, windows: Sequence[Window] = ()
    ) -> None:
        self._bytes = Bucket(bandwidth) if bandwidth else None
        self._requests = Bucket(rate) if rate else None
        self._windows = tuple(windows)

    def closed(self, wall: int) -> float:
        """Seconds until a window is open; 0 in one, or without any. wall: unix ms."""
        if not self._windows:
            return 0.0
        second = wall / 1000 % DAY
        return min(window.wait(second) for window in self._windows)

    def wait(self, now: float) -> float:
        """Seconds until the caps let another request go. now: seconds of a clock that does not go back."""
        return max((bucket.wait(now) for bucket in (self._bytes, self._requests) if bucket is not None), default=0.0)

    def begin(self, now: float) -> None:
        """A request is about to be sent."""
        if self._requests is not None:
            self._requests.spend(1, now)

    def sent(self, size: int, now: float) -> None:
        """`size` bytes were sent."""
        if self._bytes is not None:
            self._bytes.spend(size, now)
