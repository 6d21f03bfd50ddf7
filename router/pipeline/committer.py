"""The one writer: merges what all environments bring into one batch, makes it durable with one sync, then answers.

While a sync runs in its thread the mailbox gathers the next group, so the group grows with the load and with the disk's
slowness, and the number of syncs does not (group commit).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import trio
from msgspec import Struct
from trio.testing import wait_all_tasks_blocked

from router.actors.actor import Context
from router.actors.mailbox import Envelope
from router.clocks import Stamps
from router.errors import Busy
from router.histogram import SIZES, Histogram, HistogramStatistics
from router.pipeline.ledger import Append, Ledger
from router.pipeline.space import Space
from router.store.engine import Batch, Engine, NoSpace, Stalled
from router.store.threads import Threads

MAX_GROUP = 4096
ENOUGH = 32  # requests with which a group does not wait for more
LINGER = 0.004  # seconds; see `_gather`
STALL_PAUSE = 0.005  # seconds; a write stall ends when a memtable has been flushed, some tens of milliseconds
SYNC_LIMIT = 60.0  # seconds a sync may take before the committer counts as stalled
STALL_LIMIT = 30.0


class Fragment(Struct, frozen=True):
    """One request's events for one environment. Answered with `Committed`."""

    ledger: Ledger
    append: Append


@dataclass(frozen=True, slots=True)
class CommitterStatistics:
    """groups: commits, one sync each; fragments: requests in them; largest: most requests in one group; duplicates:
    events that were known already; stalls: write stalls waited out; refused: requests refused on a full disk; sizes:
    requests in a group; seconds: from a group's first step to its answers; syncs: seconds of its sync."""

    groups: int
    fragments: int
    largest: int
    duplicates: int
    stalls: int
    refused: int
    sizes: HistogramStatistics
    seconds: HistogramStatistics
    syncs: HistogramStatistics


class Commits:
    """The running counts, over all incarnations of the committer."""

    def __init__(self) -> None:
        self.groups = 0
        self.fragments = 0
        self.largest = 0
        self.duplicates = 0
        self.stalls = 0
        self.refused = 0
        self.sizes = Histogram(SIZES)
        self.seconds = Histogram()
        self.syncs = Histogram()

    def statistics(self) -> CommitterStatistics:
        return CommitterStatistics(
            self.groups,
            self.fragments,
            self.largest,
            self.duplicates,
            self.stalls,
            self.refused,
            self.sizes.statistics(),
            self.seconds.statistics(),
            self.syncs.statistics(),
        )


class Committer:
    """Actor. Takes `Fragment`s, in the order of its mailbox.

    fsync: whether an answer waits for the disk; without, what is answered survives the process but not the host.
    commits: where it counts; given by whoever reads on over its incarnations.
    """

    def __init__(
        self,
        engine: Engine,
        threads: Threads,
        stamps: Stamps,
        ledgers: Callable[[], Iterable[Ledger]],
        space: Space,
        *,
        fsync: bool = True,
        commits: Commits | None = None,
    ) -> None:
        self._engine = engine
        self._threads = threads
        self._stamps = stamps
        self._ledgers = ledgers
        self._space = space
        self._fsync = fsync
        self._commits = commits or Commits()

    async def run(self, context: Context[Fragment]) -> None:
        # An incarnation before this one may have died between its write and its sync: what it wrote becomes durable
        # before anyone may see it.
        with context.waiting_on("sync", limit=SYNC_LIMIT):
            await self._threads.sync(self._engine.sync)
        for ledger in self._ledgers():
            ledger.retract()
            ledger.publish()
            ledger.settle(ledger.watermark.end)
        context.started()
        while True:
            try:
                group = await self._gather(context)
            except trio.EndOfChannel:
                return
            await self._commit(context, group)

    async def _gather(self, context: Context[Fragment]) -> list[Envelope[Fragment]]:
        """The next group: everything that comes until the loop has nothing else to do, or there is `ENOUGH`, or
        `LINGER` has passed.

        A sync costs a thread and a disk barrier whatever is in it. Under load a request is ready about every half
        millisecond, as long as a sync takes, so without a pause groups would be of one or two; and a lone request must
        not wait for others that do not come. An idle loop is the sign that nobody else is on the way; but one with many
        environments is never idle under load.
        """
        first = await context.inbox.receive()
        with trio.move_on_after(LINGER) as scope:
            context.inbox.when_queued(ENOUGH, scope.cancel)
            await wait_all_tasks_blocked()
        return [first, *context.inbox.receive_queued(MAX_GROUP - 1)]

    async def _commit(self, context: Context[Fragment], group: list[Envelope[Fragment]]) -> None:
        begun = trio.current_time()
        stamp = self._stamps.next()
        touched = {envelope.message.ledger: None for envelope in group}
        batch = Batch()
        try:
            answers = [envelope.message.ledger.stage(batch, stamp, envelope.message.append) for envelope in group]
            await self._write(context, batch)
        except NoSpace as error:
            for ledger in touched:
                ledger.retract()
            self._commits.refused += len(group)
            self._space.refused()
            for envelope in group:
                envelope.fail(Busy(f"the disk is full, nothing was stored: {error}", retry_after=5))
            return
        except BaseException:
            for ledger in touched:
                ledger.retract()
            raise
        for ledger in touched:
            ledger.advance(stamp)
        commits = self._commits
        if self._fsync:
            written = trio.current_time()
            with context.waiting_on("sync", limit=SYNC_LIMIT):
                await self._threads.sync(self._engine.sync)
            commits.syncs.observe(trio.current_time() - written)
        commits.groups += 1
        commits.fragments += len(group)
        commits.largest = max(commits.largest, len(group))
        commits.sizes.observe(len(group))
        commits.seconds.observe(trio.current_time() - begun)
        for ledger in touched:
            ledger.publish()
        for envelope, answer in zip(group, answers, strict=True):
            commits.duplicates += answer.duplicates
            envelope.reply(answer)

    async def _write(self, context: Context[Fragment], batch: Batch) -> None:
        while True:
            try:
                self._engine.write(batch)
            except Stalled:
                self._commits.stalls += 1
                with context.waiting_on("write stall", limit=STALL_LIMIT):
                    await trio.sleep(STALL_PAUSE)
            else:
                return

    def statistics(self) -> CommitterStatistics:
        return self._commits.statistics()
