"""Keeps the disk in order: watches what is free and deletes what retention does not keep."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog
import trio

from router.actors.actor import Context
from router.clocks import Clock
from router.names import EnvironmentName
from router.pipeline.environments import Environment
from router.pipeline.retention import Retention, low_mark
from router.pipeline.space import Space
from router.store.engine import Batch, Damaged, Engine, NoSpace, Stalled
from router.store.log import Log
from router.store.meta import Meta
from router.store.threads import Threads

LOOK_EVERY: Final = 1.0  # seconds between looks at the free space
LEAST: Final = 1024 * 1024  # bytes; less is not worth a tombstone, unless all of it is too old
RECLAIM: Final = 64 * 1024 * 1024  # bytes deleted that are worth a compaction in any case
LIMIT: Final = 600.0  # seconds that a compaction may take before the sweeper counts as stalled

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SweeperStatistics:
    """sweeps: rounds over all environments; trimmed_events, trimmed_bytes: deleted; reclaims: compactions after it;
    postponed: trims that the database or the disk had no room for at the moment."""

    sweeps: int
    trimmed_events: int
    trimmed_bytes: int
    reclaims: int
    postponed: int


class Sweeper:
    """Actor. `retention` is asked at every round, so that a reload takes effect at the next one.

    interval: seconds between rounds.
    """

    def __init__(
        self,
        engine: Engine,
        meta: Meta,
        threads: Threads,
        space: Space,
        environments: Mapping[EnvironmentName, Environment],
        retention: Callable[[EnvironmentName], Retention],
        clock: Clock,
        *,
        interval: float,
    ) -> None:
        self._engine = engine
        self._meta = meta
        self._threads = threads
        self._space = space
        self._environments = environments
        self._retention = retention
        self._clock = clock
        self._interval = interval
        self._owed: dict[EnvironmentName, int] = {}
        self._sweeps = 0
        self._trimmed_events = 0
        self._trimmed_bytes = 0
        self._reclaims = 0
        self._postponed = 0

    async def run(self, context: Context[None]) -> None:
        await self._look(context)
        context.started()
        due = trio.current_time()
        while not context.stopping.is_set():
            await self._look(context)
            if trio.current_time() >= due:
                due = trio.current_time() + self._interval
                await self.sweep(context)
            with trio.move_on_after(min(LOOK_EVERY, self._interval)):
                await context.stopping.wait()

    async def sweep(self, context: Context[None]) -> None:
        """One round over all environments."""
        for name, environment in list(self._environments.items()):
            await self._trim(context, name, environment)
            if self._worth_reclaiming(name, environment.log):
                self._owed.pop(name)
                with context.waiting_on("compaction", limit=LIMIT):
                    await self._threads.maintenance(environment.log.reclaim)
                self._reclaims += 1
        self._sweeps += 1

    async def _trim(self, context: Context[None], name: EnvironmentName, environment: Environment) -> None:
        log = environment.log
        end = environment.deletable
        try:
            low = low_mark(log, self._retention(name), self._clock.now(), end)
            size = log.size_from(log.low) - log.size_from(low)
            if low <= log.low or (size < LEAST and low < end):
                return
            events, batch = low - log.low, Batch()
            log.trim(batch, self._meta, low)
            self._engine.write(batch)
        except (Stalled, NoSpace):
            self._postponed += 1
            return
        except Damaged:
            # What cannot be read is not deleted by guesswork; reading has named it, and an operator decides.
            _log.warning("retention cannot find its place in a damaged log", environment=str(name))
            return
        log.trimmed(low)
        with context.waiting_on("sync", limit=LIMIT):
            await self._threads.sync(self._engine.sync)
        self._trimmed_events += events
        self._trimmed_bytes += size
        self._owed[name] = self._owed.get(name, 0) + size

    def _worth_reclaiming(self, name: EnvironmentName, log: Log) -> bool:
        """A compaction rewrites what the border of the deletion runs through; not for every trim of a large log."""
        owed = self._owed.get(name)
        return owed is not None and (owed >= RECLAIM or owed * 8 >= log.size_from(log.low))

    async def _look(self, context: Context[None]) -> None:
        path = self._engine.path
        with context.waiting_on("disk", limit=LIMIT):
            self._space.measured((await self._threads.cold(lambda: shutil.disk_usage(path))).free)
        context.progress()
        if self._space.unproven and self._meta.probe():
            # Refused posts write nothing, so nobody else would find out that there is room again.
            self._space.written()

    def statistics(self) -> SweeperStatistics:
        return SweeperStatistics(
            self._sweeps, self._trimmed_events, self._trimmed_bytes, self._reclaims, self._postponed
        )
