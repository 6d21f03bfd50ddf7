"""Folds one environment's log into its insights: a durable cursor over the log, like any other reader.

Entries are counted in memory in short slices, between which others have a turn; a few times a second what was counted
is written with the position in one batch. That batch needs no sync of its own: a lost end of it is counted again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
import trio
from trio.testing import wait_all_tasks_blocked

from router.actors.actor import Context
from router.clocks import Clock
from router.pipeline.counting import Tally
from router.pipeline.insights import Insights
from router.pipeline.watermark import Watermark
from router.store.engine import Batch, Engine, NoSpace, Stalled
from router.store.log import Log, Unreadable
from router.store.rollups import Position

SLICE: Final = 0.001  # seconds of counting, or of writing, before others have a turn
LOOK: Final = 8  # events, 5 to 40 µs of counting, after which the time is looked at
BREATH: Final = 0.004  # seconds for which it waits then, at most, until they have nothing to do
PAUSE: Final = 0.25  # seconds between two batches, so that what changes all the time is written a few times a second
EACH: Final = 0.005  # seconds of it for each environment: a batch takes 0.4 ms, and 200 of them a third of the loop
LONGEST_PAUSE: Final = 1.0
REST: Final = 3.0  # times as long as the last batch was worked at is paused at least
MOST_EVENTS: Final = 100_000  # counted in memory before they are written
LONGEST: Final = 0.5  # seconds of counting after which what there is is written, though there be more
SWEEP_EVERY: Final = 6 * 3600.0  # seconds
CLOSED_PAUSE: Final = 0.5
STALL_PAUSE: Final = 0.02
NO_SPACE_PAUSE: Final = 5.0
WAIT_LIMIT: Final = 365 * 86_400.0  # seconds: there may be no traffic for as long as it likes
STALL_LIMIT: Final = 60.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class IndexerStatistics:
    """batches: written; events: counted, retention's losses not among them; lost: events that retention removed before
    they were counted, or that cannot be read; swept: sweeps through all flags."""

    batches: int
    events: int
    lost: int
    swept: int


class Indexer:
    """Actor without a mailbox. crowd: how many there are of it."""

    def __init__(
        self,
        engine: Engine,
        log: Log,
        watermark: Watermark,
        insights: Insights,
        clock: Clock,
        crowd: Callable[[], int] = lambda: 1,
    ) -> None:
        self._crowd = crowd
        self._engine = engine
        self._log = log
        self._watermark = watermark
        self._insights = insights
        self._clock = clock
        self._batches = 0
        self._events = 0
        self._lost = 0
        self._swept = 0
        self._behind = False  # whether the last batch ended before the log did
        self._waited = 0.0  # seconds of the batch at hand in which others had the loop

    async def run(self, context: Context[None]) -> None:
        # What an incarnation before this one had in memory may never have been written.
        self._insights.reset()
        position = self._insights.position
        if position.offset > self._log.head:
            # Of a log that was longer once: its offsets are given out again, and what gets them is to be counted.
            self._insights.position = position._replace(offset=self._log.head)
            _log.warning("counted further than the log goes", environment=str(self._insights.name), head=self._log.head)
        context.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_when, context.stopping, nursery.cancel_scope)
            await self._follow(context)

    async def catch_up(self, context: Context[None]) -> None:
        """Count everything up to the watermark, then return."""
        while self._insights.position.offset < self._watermark.end:
            await self._step(context)

    async def _follow(self, context: Context[None]) -> None:
        next_sweep = trio.current_time()
        while True:
            more = True
            with context.waiting_on("events", limit=WAIT_LIMIT), trio.move_on_at(next_sweep) as waiting:
                more = await self._watermark.wait_beyond(self._insights.position.offset)
            if not more:  # the router drains, or its environment is withdrawn and may come back
                with context.waiting_on("the end", limit=STALL_LIMIT):
                    await trio.sleep(CLOSED_PAUSE)
                continue
            if waiting.cancelled_caught or trio.current_time() >= next_sweep:
                await self._sweep(context)
                next_sweep = trio.current_time() + SWEEP_EVERY
                continue
            began = trio.current_time()
            await self._step(context)
            worked = trio.current_time() - began - self._waited
            with context.waiting_on("pause between batches", limit=STALL_LIMIT):
                await trio.sleep(self._pause(worked) if self._caught_up() else 0)

    def _pause(self, worked: float) -> float:
        return max(PAUSE, min(EACH * self._crowd(), LONGEST_PAUSE), REST * worked)

    def _caught_up(self) -> bool:
        return self._insights.position.offset >= self._watermark.end

    async def _step(self, context: Context[None]) -> None:
        """Count a batch's worth of the log and write it."""
        self._waited = 0.0
        insights = self._insights
        position, counted, floor = insights.position
        tally = insights.tally(self._clock.now())
        rebuilding = position < counted  # and then so is all of this batch: it has one oldest second
        begun = trio.current_time()
        until, late = begun + SLICE, begun + LONGEST
        while tally.events < MOST_EVENTS and trio.current_time() < late:
            end = min(self._watermark.end, counted) if rebuilding else self._watermark.end
            if position >= end:
                break
            position = self._count(tally, position, end, until)
            if position < end:
                # Of 200 environments a batch is fifty events, 0.2 ms in all: giving way in it cost a quarter of that.
                await self._give_way(context)
                until = trio.current_time() + SLICE
        self._behind = position < self._watermark.end
        reached = Position(position, counted, floor)
        batch = Batch()
        for _ in insights.apply(tally, reached, batch):
            if trio.current_time() >= until:
                await self._give_way(context)
                until = trio.current_time() + SLICE
        await self._write(context, batch)
        insights.advance(reached)
        self._batches += 1
        self._events += tally.events

    def _count(self, tally: Tally, position: int, end: int, until: float) -> int:
        """Count from `position` on, `until` that time; returns where it ended. What is not there any more is passed
        over."""
        if position < self._log.low:
            self._pass_over(position, self._log.low, "retention removed them")
            return min(self._log.low, end)
        try:
            look = tally.events + LOOK
            for stored in self._log.read(position, end):
                tally.add(stored.entry)
                position = stored.end
                if tally.events >= look:
                    look = tally.events + LOOK
                    if trio.current_time() >= until or tally.events >= MOST_EVENTS:
                        break
        except Unreadable as error:
            self._pass_over(position, error.last + 1, str(error))
            return error.last + 1
        return position

    def _pass_over(self, position: int, end: int, reason: str) -> None:
        self._lost += end - position
        _log.warning("events are not counted", environment=str(self._insights.name), lost=end - position, reason=reason)

    async def _sweep(self, context: Context[None]) -> None:
        after = ""
        while True:
            batch = Batch()
            after = self._insights.sweep(self._clock.now(), after, batch)
            await self._write(context, batch)
            self._insights.changes.advance()
            if not after:
                break
            context.progress()
            await trio.lowlevel.checkpoint()
        self._swept += 1

    async def _write(self, context: Context[None], batch: Batch) -> None:
        while True:
            try:
                self._engine.write(batch)
            except Stalled:
                with context.waiting_on("write stall", limit=STALL_LIMIT):
                    await trio.sleep(STALL_PAUSE)
            except NoSpace:
                # The log refuses new events too; what it has stays to be counted when there is room.
                with context.waiting_on("room on the disk", limit=WAIT_LIMIT):
                    await trio.sleep(NO_SPACE_PAUSE)
            else:
                return

    async def _give_way(self, context: Context[None]) -> None:
        """Let others have the loop, and for longer while they need it, unless the counting falls behind then: at
        150,000 mixed events a second it was 3 s late (measured)."""
        context.progress()
        if self._behind:
            await trio.lowlevel.checkpoint()
            return
        left = trio.current_time()
        with trio.move_on_after(BREATH):
            await wait_all_tasks_blocked()
        self._waited += trio.current_time() - left

    def statistics(self) -> IndexerStatistics:
        return IndexerStatistics(self._batches, self._events, self._lost, self._swept)


async def _cancel_when(stopping: trio.Event, scope: trio.CancelScope) -> None:
    await stopping.wait()
    scope.cancel("asked to stop")
