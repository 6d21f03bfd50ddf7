"""When a restart is one too many, and how long to wait before it. Pure: the time and the dice come from outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

_MAX_DOUBLINGS: Final = 64  # 2**64 times any sensible first delay is above any sensible cap


@dataclass(frozen=True, slots=True)
class Intensity:
    """At most `restarts` restarts in any `period` seconds; a restart exactly `period` ago still counts.

    Raises:
        ValueError: `restarts` is negative, or `period` is not positive.
    """

    restarts: int = 5
    period: float = 60.0

    def __post_init__(self) -> None:
        if self.restarts < 0 or self.period <= 0:
            raise ValueError(
                f"no intensity: {self.restarts} restarts in {self.period} s; give at least 0 in more than 0 s"
            )

    def recent(self, history: Sequence[float], now: float) -> tuple[float, ...]:
        """What of `history`, the times of restarts in seconds, is still in the period that ends `now`."""
        return tuple(at for at in history if now - at <= self.period)

    def exceeded(self, history: Sequence[float], now: float) -> bool:
        """Whether `history`, the restart at hand included, is more than the period allows."""
        return len(self.recent(history, now)) > self.restarts


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter: uniform between zero and a ceiling that doubles with each crash in a row.

    Full jitter spreads children that crashed together over the whole ceiling
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

    first: ceiling of the first delay, seconds. cap: highest ceiling, seconds. reset_after: an incarnation that was up
    for so many seconds ends the row.
    """

    first: float = 0.05
    cap: float = 10.0
    reset_after: float = 60.0

    def row(self, before: int, uptime: float) -> int:
        """How many crashes in a row this makes, of an incarnation up for `uptime` seconds after `before` others."""
        return 1 if uptime >= self.reset_after else before + 1

    def ceiling(self, row: int) -> float:
        """Longest delay, in seconds, after the `row`-th crash in a row, counted from 1."""
        return min(self.cap, self.first * 2.0 ** min(row - 1, _MAX_DOUBLINGS))

    def delay(self, row: int, random: Random) -> float:
        """Seconds to wait after the `row`-th crash in a row."""
        return random.uniform(0.0, self.ceiling(row))
