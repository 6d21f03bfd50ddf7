"""Insights made again from the log, while no daemon runs: what the log still has is counted afresh.

Where retention has taken the beginning of the log, rows of before the first whole hour that it still covers stay as
they are, and so do the changes; nothing that is known is lost.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from router.actors.actor import Context
from router.clocks import Clock
from router.names import EnvironmentName
from router.pipeline.environments import INSIGHTS_AGE
from router.pipeline.indexer import Indexer
from router.pipeline.insights import Insights
from router.pipeline.watermark import Watermark
from router.store.engine import Batch, Engine
from router.store.log import Log
from router.store.meta import LogRow, Meta
from router.store.threads import Threads

HOUR: Final = 3600_000  # ms


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was done for one environment: events counted, changes known, the first minute that is fresh, 0 for all."""

    name: EnvironmentName
    events: int
    changes: int
    floor: int


async def rebuild(
    path: Path, ages: Mapping[EnvironmentName, float | None], clock: Clock, done: Callable[[Rebuilt], None]
) -> None:
    """Rebuild the insights of every environment in the data directory; `done` hears of each.

    ages: seconds that insights are kept, by environment.

    Raises:
        Locked: a daemon has the directory open.
        Damaged: a log cannot be read.
    """
    threads = Threads()
    engine = await threads.maintenance(lambda: Engine.open(path))
    try:
        for name, row in Meta(engine).logs().items():
            done(await _rebuild(name, row, engine, ages.get(name, INSIGHTS_AGE), clock))
        await threads.sync(engine.sync)
    finally:
        engine.close()


async def _rebuild(name: EnvironmentName, row: LogRow, engine: Engine, age: float | None, clock: Clock) -> Rebuilt:
    log = Log(name, engine, row)
    insights = Insights(name, engine, row.number, age)
    insights.reset()
    floor = first_whole_minute(log)
    batch = Batch()
    insights.clear(log.low, floor, batch)
    engine.write(batch)
    insights.reset()
    indexer = Indexer(engine, log, Watermark(log.head), insights, clock)
    await indexer.catch_up(Context(f"{name}/rebuild"))
    return Rebuilt(name, indexer.statistics().events, len(insights.changes), floor)


def first_whole_minute(log: Log) -> int:
    """The first minute, of an hour, from which on the log has everything; 0 where it has its beginning."""
    if log.low == 0:
        return 0
    for stored in log.read(log.low, log.head):
        return -(-stored.entry.arrived // HOUR) * 60
    return -(-log.last_arrival // HOUR) * 60
