"""How long and how much of a log is kept: where its low mark belongs."""

from dataclasses import dataclass

from router.store.log import Log


@dataclass(frozen=True, slots=True)
class Retention:
    """age: seconds since an event arrived; bytes: of entries as they are stored. None is no limit."""

    age: float | None = None
    bytes: int | None = None


def low_mark(log: Log, retention: Retention, now: int, end: int) -> int:
    """The offset of the first event to keep, never less than the present low mark and never beyond `end`.

    now: unix ms. end: the watermark; what is not durable yet is not deleted either.

    Raises:
        Damaged: the place for an age cannot be looked up.
    """
    low = log.low
    if retention.bytes is not None:
        low = max(low, log.cut(retention.bytes))
    if retention.age is not None:
        low = max(low, log.offset_at(now - round(retention.age * 1000), end))
    return min(low, end)
