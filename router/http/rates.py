"""How often one key may post: a token bucket for each."""

from collections import OrderedDict
from dataclasses import dataclass
from math import ceil
from typing import Final

MOST: Final = 10_000  # keys that are remembered; only known keys are counted, so a configuration hardly has more


@dataclass(frozen=True, slots=True)
class RateStatistics:
    """keys: remembered; refused: requests over the limit since the start."""

    keys: int
    refused: int


class Rates:
    """Buckets by key. What is forgotten beyond `MOST` begins anew with a full one."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()
        self._refused = 0

    def wait(self, key: bytes, now: float, *, rate: float, burst: float) -> int:
        """Take one request out of the bucket of `key`: 0 where there was one, else the whole seconds until there is.

        now: seconds of a steady clock. rate: requests a second that flow in. burst: that the bucket holds.
        """
        level, since = self._buckets.get(key, (burst, now))
        level = min(burst, level + (now - since) * rate)
        if level < 1:
            self._refused += 1
            return max(1, ceil((1 - level) / rate))
        self._buckets[key] = (level - 1, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > MOST:
            self._buckets.popitem(last=False)
        return 0

    def statistics(self) -> RateStatistics:
        return RateStatistics(len(self._buckets), self._refused)
