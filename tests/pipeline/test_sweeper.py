"""The sweeper: what is too old or too much is deleted and its disk freed, readers are told, and room is watched."""

import os

import pytest
import trio

from router.actors.mailbox import Mailbox
from router.actors.supervisor import Child
from router.names import EnvironmentName
from router.pipeline.consumers import Consumers
from router.pipeline.environments import Environment
from router.pipeline.frames import Format
from router.pipeline.insights import Insights
from router.pipeline.ledger import Append
from router.pipeline.retention import Retention
from router.pipeline.subscription import Chunk, Gap, Subscription
from router.pipeline.sweeper import Sweeper
from router.pipeline.tail import Tail
from router.records import Event, pack_body
from router.store.log import Log
from router.store.meta import Meta
from router.store.threads import Threads
from tests.pipeline.conftest import NAME, Bench


def _letter(*_event: object) -> bytes:
    return b"x"


class Swept:
    """A bench with a sweeper over its one environment, whose retention can be changed."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.meta = Meta(bench.engine)
        mailbox: Mailbox[Append] = Mailbox("partition", 1)
        tail = Tail(bench.log, bench.watermark)
        consumers = Consumers(bench.engine, 1, bench.log, bench.watermark, bench.clock)
        insights = Insights(NAME, bench.engine, 1, None)
        self.environments = {NAME: Environment(NAME, bench.ledger, mailbox, tail, consumers, insights)}
        self.retention = Retention()
        self.sweepers: list[Sweeper] = []

    def make(self) -> Sweeper:
        def kept(_name: EnvironmentName) -> Retention:
            return self.retention

        bench = self.bench
        made = Sweeper(
            bench.engine, self.meta, Threads(), bench.space, self.environments, kept, bench.clock, interval=0.01
        )
        self.sweepers.append(made)
        return made

    async def append(self, count: int, size: int = 100) -> None:
        """One entry of so many events of incompressible bytes."""
        raws = [b'"' + os.urandom(size // 2).hex().encode() + b'"' for _ in range(count)]
        events = [Event("custom", 1, "n", (), (), None, raw) for raw in raws]
        fragment = self.bench.fragment(count)
        await self.bench.mailbox.ask(
            type(fragment)(fragment.ledger, Append(pack_body("d", "e", {}, events), count)), timeout=5
        )

    async def until(self, low: int) -> None:
        with trio.fail_after(10):
            while self.bench.log.low < low:
                await trio.sleep(0.005)


@pytest.fixture
def swept(bench: Bench) -> Swept:
    return Swept(bench)


async def test_what_is_too_old_goes_and_stays_gone_after_a_restart(swept: Swept) -> None:
    bench = swept.bench
    async with bench.running(Child("sweeper", swept.make)):
        for _ in range(3):
            await swept.append(2)
            bench.clock.advance(10_000)
        swept.retention = Retention(age=15)
        bench.clock.advance(86_400_000)
        await swept.until(6)
    again = Log(NAME, bench.engine, Meta(bench.engine).log(NAME))
    assert (again.low, again.head) == (6, 6), "offsets are never used again"
    assert sum(sweeper.statistics().trimmed_events for sweeper in swept.sweepers) == 6


async def test_what_is_too_much_goes_and_the_disk_is_freed(swept: Swept) -> None:
    bench = swept.bench
    family = bench.engine.family(bench.log.row.family)
    async with bench.running(Child("sweeper", swept.make)):
        for _ in range(24):
            await swept.append(1, 500_000)
        family.map.flush(True)
        before = bench.engine.gauge("rocksdb.live-sst-files-size", bench.log.row.family)
        assert before is not None
        swept.retention = Retention(bytes=3 * 1024 * 1024)
        await swept.until(15)
        with trio.fail_after(10):
            while not swept.sweepers[0].statistics().reclaims:
                await trio.sleep(0.01)
    after = bench.engine.gauge("rocksdb.live-sst-files-size", bench.log.row.family)
    assert after is not None
    assert after < before / 3
    assert bench.log.statistics().bytes <= 3 * 1024 * 1024
    assert bench.log.head == 24


async def test_a_reader_that_fell_out_is_told_exactly_what_it_lost(swept: Swept) -> None:
    bench = swept.bench
    reader = Subscription(bench.log, bench.watermark, Tail(bench.log, bench.watermark), 0, style=Format("x", _letter))
    async with bench.running(Child("sweeper", swept.make)):
        for _ in range(5):
            await swept.append(2)
        swept.retention = Retention(age=0)
        bench.clock.advance(1000)
        await swept.until(10)
        swept.retention = Retention()
        await swept.append(3)
        step = await reader.next()
        assert step == Gap(0, 9)
        assert step.lost == 10
        assert await reader.next() == Chunk(b"xxx", 3)


async def test_a_full_disk_is_probed_until_there_is_room(swept: Swept) -> None:
    bench = swept.bench
    bench.space.refused()
    async with bench.running(Child("sweeper", swept.make)):
        with trio.fail_after(5):
            while bench.space.reason is not None:
                await trio.sleep(0.005)
    assert bench.space.statistics().free > 0


def room(bench: Bench) -> bool:
    return bench.space.reason is None


async def test_room_that_is_back_has_to_be_written_to_first(swept: Swept, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush met the full disk while posts were refused: ready was said, and the next post refused (seen in CI)."""
    bench = swept.bench
    writes = [False, False, True]
    monkeypatch.setattr(Meta, "probe", lambda _meta: writes.pop(0))
    bench.space.min_free = 2**62
    async with bench.running(Child("sweeper", swept.make)):
        with trio.fail_after(5):
            while room(bench):
                await trio.sleep(0.005)
        bench.space.min_free = 0
        with trio.fail_after(5):
            while not room(bench):
                await trio.sleep(0.005)
    assert writes == []


async def test_too_little_is_not_worth_a_deletion(swept: Swept) -> None:
    bench = swept.bench
    async with bench.running(Child("sweeper", swept.make)):
        await swept.append(1)
        bench.clock.advance(10_000)
        await swept.append(1)
        swept.retention = Retention(age=5)
        with trio.fail_after(5):
            while swept.sweepers[0].statistics().sweeps < 3:
                await trio.sleep(0.005)
    assert bench.log.low == 0
