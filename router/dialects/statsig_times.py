"""When Statsig events happened: times of every spelling, corrected by what the sender's clock showed when it sent.

Source: protocols/statsig-and-others.md 6.3.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

DAY: Final = 24 * 60 * 60 * 1000  # ms
TOLERATED: Final = 2_000  # ms of skew that is taken for network delay: correcting it would only spoil the order
AHEAD: Final = 60_000  # ms that a corrected time may lie after the arrival
OLD: Final = 30 * DAY

# Below the first bound a number counts seconds, below the second ms, below the third µs, beyond it ns.
SECONDS_BELOW: Final = 100_000_000_000
MS_BELOW: Final = 100_000_000_000_000
_US_BELOW: Final = 100_000_000_000_000_000
_LATEST: Final = 1_000_000_000_000_000  # ms; no unit makes a time of what lies beyond
_MAX_TEXT: Final = 64  # characters; what is longer is no time
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Timing:
    """How the times of one request are read.

    received: unix ms, the host's own clock.
    sent: what the sender's clock showed when it sent, unix ms; None where it did not say, or nothing plausible.
    skew: `received - sent`, network delay included, in ms; None where `sent` is.
    shift: ms to add to the sender's times; 0 where the skew is within what a network makes.
    """

    received: int
    sent: int | None = None
    skew: int | None = None
    shift: int = 0

    @property
    def latest(self) -> int:
        """The latest corrected time that is believed, unix ms; what lies after it happened on arrival."""
        return self.received + AHEAD

    @property
    def oldest(self) -> int:
        """The earliest time that raises no eyebrow, unix ms. Older events are kept: offline stores last long."""
        return self.received - OLD


def timing(received: int, *sent: object) -> Timing:
    """The timing by the first of the send times `sent` that is one, in any spelling `milliseconds` reads."""
    for value in sent:
        found = milliseconds(value)
        if found is not None and found >= SECONDS_BELOW:  # what is earlier is a counter, not a clock
            skew = received - found
            return Timing(received, found, skew, skew if abs(skew) >= TOLERATED else 0)
    return Timing(received)


def milliseconds(value: object) -> int | None:
    """Unix ms of a time in any unit, as a number, a number in text, or ISO 8601 text (without a zone: UTC).

    Floats are floored. Unity writes its numbers in the device's locale, with a comma (section 1.7). None where it is
    absent or cannot be a time, as zero and less.
    """
    if isinstance(value, str):
        return _of_text(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if value <= 0 or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if value < SECONDS_BELOW:
        value = value * 1000
    elif value >= _US_BELOW:
        value = value // 1_000_000
    elif value >= MS_BELOW:
        value = value // 1000
    found = math.floor(value)
    return found if 0 < found < _LATEST else None


def _of_text(text: str) -> int | None:
    if not text or len(text) > _MAX_TEXT:
        return None
    try:
        return milliseconds(int(text))
    except ValueError:
        pass  # not a whole number
    try:
        return milliseconds(float(text.replace(",", ".")))
    except ValueError:
        pass  # not a number at all
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    found = (moment - _EPOCH) // _MILLISECOND
    return found if found > 0 else None
