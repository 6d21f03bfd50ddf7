"""Group commit: one sync a group, nothing visible or answered before it, nothing lost by a crash in between."""

from pathlib import Path

import pytest
import trio

from router.errors import Busy, Fatal, Interrupted
from router.pipeline.ledger import Committed
from router.store.engine import Batch, Engine, NoSpace, Stalled
from tests.pipeline.conftest import Bench


class Faulty(Engine):
    """A real engine whose next writes and syncs can be made to fail or to wait."""

    def prepare(self) -> None:
        self.write_faults: list[Exception] = []
        self.sync_faults: list[Exception] = []
        self.events: list[str] = []

    def write(self, batch: Batch) -> None:
        if getattr(self, "write_faults", None):
            raise self.write_faults.pop(0)
        super().write(batch)

    def sync(self) -> None:
        if getattr(self, "sync_faults", None):
            raise self.sync_faults.pop(0)
        super().sync()


@pytest.fixture
def faulty(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "db", Faulty.open)
    assert isinstance(bench.engine, Faulty)
    bench.engine.prepare()
    return bench


def engine_of(bench: Bench) -> Faulty:
    assert isinstance(bench.engine, Faulty)
    return bench.engine


async def test_a_fragment_is_answered_with_its_offsets(bench: Bench) -> None:
    async with bench.running():
        assert await bench.mailbox.ask(bench.fragment(3), timeout=5) == Committed(0, 2)
        assert await bench.mailbox.ask(bench.fragment(2), timeout=5) == Committed(3, 4)

    assert bench.watermark.end == bench.log.head == 5


async def test_many_waiting_fragments_share_one_sync(bench: Bench) -> None:
    """64 requests that wait while a sync runs become one group: syncs are per group, not per request."""
    answers: list[Committed] = []

    async def ask() -> None:
        answers.append(await bench.mailbox.ask(bench.fragment(1), timeout=5))

    async with bench.running():
        before = bench.engine.statistics().syncs
        async with trio.open_nursery() as nursery:
            for _ in range(64):
                nursery.start_soon(ask)
        syncs = bench.engine.statistics().syncs - before
        statistics = bench.committers[-1].statistics()

    assert sorted(answer.first for answer in answers) == list(range(64))
    assert syncs == statistics.groups
    assert statistics.fragments == 64
    assert syncs <= 4


async def test_nothing_is_visible_before_the_sync_is_done(bench: Bench) -> None:
    """The data is in the database before it is on disk: the watermark, not the database, says what may be read."""
    seen: list[tuple[int, int]] = []
    sync = bench.engine.sync

    def watched() -> None:
        seen.append((bench.log.head, bench.watermark.end))
        sync()

    async with bench.running():
        bench.engine.sync = watched  # type: ignore[method-assign]  # observes the moment of the sync
        await bench.mailbox.ask(bench.fragment(3), timeout=5)
    assert (3, 0) in seen


async def test_a_write_stall_is_waited_out(faulty: Bench) -> None:
    async with faulty.running():
        engine_of(faulty).write_faults = [Stalled("stall"), Stalled("stall")]
        assert await faulty.mailbox.ask(faulty.fragment(2), timeout=5) == Committed(0, 1)
        assert faulty.committers[-1].statistics().stalls == 2
    faulty.engine.close()


async def test_a_full_disk_refuses_and_then_goes_on(faulty: Bench) -> None:
    async with faulty.running():
        engine_of(faulty).write_faults = [NoSpace("no space left on device")]
        with pytest.raises(Busy, match="disk is full"):
            await faulty.mailbox.ask(faulty.fragment(2), timeout=5)
        assert await faulty.mailbox.ask(faulty.fragment(2), timeout=5) == Committed(0, 1)
    faulty.engine.close()


async def test_a_crash_before_the_write_gives_the_offsets_back(faulty: Bench) -> None:
    async with faulty.running():
        engine_of(faulty).write_faults = [RuntimeError("bug")]
        with pytest.raises(Interrupted):
            await faulty.mailbox.ask(faulty.fragment(2), timeout=5)
        assert await faulty.mailbox.ask(faulty.fragment(2), timeout=5) == Committed(0, 1)
    faulty.engine.close()


async def test_a_crash_between_write_and_sync_keeps_what_was_written(faulty: Bench) -> None:
    """The next incarnation syncs first and only then shows what the one before it wrote."""
    async with faulty.running():
        engine_of(faulty).sync_faults = [RuntimeError("bug")]
        with pytest.raises(Interrupted):
            await faulty.mailbox.ask(faulty.fragment(2), timeout=5)
        assert await faulty.mailbox.ask(faulty.fragment(1), timeout=5) == Committed(2, 2)
        assert faulty.watermark.end == 3
    faulty.engine.close()


async def test_a_failed_sync_ends_the_process_and_shows_nothing(faulty: Bench) -> None:
    """A failed fsync is never retried: what the disk holds is unknown from then on."""
    engine_of(faulty).sync_faults = []
    with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012 - the failure leaves through the nursery
        async with faulty.running():
            engine_of(faulty).sync_faults = [Fatal("sync failed: Input/output error")]
            with pytest.raises(Interrupted):
                await faulty.mailbox.ask(faulty.fragment(2), timeout=5)
            await trio.sleep(5)
    assert caught.group_contains(Fatal, match="Input/output error")
    assert faulty.watermark.end == 0
    faulty.engine.close()


async def test_the_weaker_durability_answers_without_a_sync(bench: Bench) -> None:
    bench.fsync = False
    async with bench.running():
        before = bench.engine.statistics().syncs
        assert await bench.mailbox.ask(bench.fragment(3), timeout=5) == Committed(0, 2)
        assert bench.engine.statistics().syncs == before
        assert bench.watermark.end == 3


async def test_an_orderly_stop_commits_what_is_queued(bench: Bench) -> None:
    answers: list[Committed] = []

    async def ask() -> None:
        answers.append(await bench.mailbox.ask(bench.fragment(1), timeout=5))

    async with bench.running() as handle, trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(ask)
        await trio.lowlevel.checkpoint()
        handle.stop()
    assert len(answers) == 20
    assert bench.watermark.end == 20
