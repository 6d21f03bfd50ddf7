"""Named consumers: readers whose place the router remembers for them, durably."""

import re
from dataclasses import dataclass
from typing import Final

from router.clocks import Clock
from router.names import Cursor
from router.pipeline.watermark import Watermark
from router.store.cursors import Cursors, Row
from router.store.engine import Batch, Engine
from router.store.log import Log
from router.store.threads import Threads

MOST: Final = 1000  # of one environment; each is a row and a line in the metrics
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True, slots=True)
class Consumer:
    """cursor: the last acknowledged; lag: durable events after it; acked_at: unix ms."""

    name: str
    cursor: str
    lag: int
    acked_at: int


@dataclass(frozen=True, slots=True)
class ConsumersStatistics:
    """known: consumers; lag: of each by name; acks: since the start."""

    known: int
    lag: dict[str, int]
    acks: int


class Consumers:
    """The consumers of one environment. Retention does not wait for them: it tells them of the gap."""

    def __init__(self, engine: Engine, number: int, log: Log, watermark: Watermark, clock: Clock) -> None:
        self._engine = engine
        self._cursors = Cursors(engine, number, "consumer")
        self._log = log
        self._watermark = watermark
        self._clock = clock
        self._rows: dict[str, Row] = dict(self._cursors.rows())
        self._acks = 0

    def start(self, name: str) -> Cursor | None:
        """The cursor to resume after; None where the consumer has acknowledged nothing yet.

        Raises:
            ValueError: it cannot be a consumer's name.
        """
        check_name(name)
        row = self._rows.get(name)
        return None if row is None else Cursor(row.epoch, row.offset - 1)

    async def ack(self, name: str, cursor: str, threads: Threads, *, rewind: bool = False) -> None:
        """Everything up to `cursor` is dealt with; durable when it returns. An older cursor changes nothing unless
        `rewind`.

        Raises:
            ValueError: no such cursor in this log, a name that cannot be one, or too many consumers.
            Stalled, NoSpace: it cannot be written now.
        """
        check_name(name)
        given = Cursor.parse(cursor)
        if given.epoch != self._log.epoch:
            raise ValueError(f"{cursor!r} is a cursor of another environment, or from before a restore")
        if given.offset >= self._watermark.end:
            raise ValueError(f"{cursor!r} is beyond the newest event")
        row = self._rows.get(name)
        if row is None and len(self._rows) >= MOST:
            raise ValueError(f"there are {MOST} consumers: DELETE one that is not needed any more")
        offset = given.offset + 1
        if row is not None and row.epoch == given.epoch and offset < row.offset and not rewind:
            return
        batch = Batch()
        moved = Row(given.epoch, offset, self._clock.now())
        self._cursors.stage(batch, name, moved)
        self._engine.write(batch)
        self._rows[name] = moved
        self._acks += 1
        await threads.sync(self._engine.sync)

    async def remove(self, name: str, threads: Threads) -> bool:
        """Forget a consumer; whether it was known.

        Raises:
            Stalled, NoSpace: it cannot be written now.
        """
        if name not in self._rows:
            return False
        batch = Batch()
        self._cursors.remove(batch, name)
        self._engine.write(batch)
        del self._rows[name]
        await threads.sync(self._engine.sync)
        return True

    def items(self) -> list[Consumer]:
        """All of them, by name."""
        return [
            Consumer(name, str(Cursor(row.epoch, row.offset - 1)), self._lag(row), row.at)
            for name, row in sorted(self._rows.items())
        ]

    def statistics(self) -> ConsumersStatistics:
        return ConsumersStatistics(
            len(self._rows), {name: self._lag(row) for name, row in self._rows.items()}, self._acks
        )

    def _lag(self, row: Row) -> int:
        start = row.offset if row.epoch == self._log.epoch else self._log.low
        return max(0, self._watermark.end - max(start, self._log.low))


def check_name(name: str) -> None:
    """Raises:
    ValueError: a consumer cannot be called that."""
    if _NAME.fullmatch(name) is None:
        allowed = "up to 100 letters, digits, dots, dashes and underscores"
        raise ValueError(f"{name[:40]!r} cannot be a consumer's name: {allowed}")
