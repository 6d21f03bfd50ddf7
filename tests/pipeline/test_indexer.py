"""The indexer: killed at any point it makes the same rows, and its rows are those of the log."""

from collections import Counter
from collections.abc import Iterator

import msgpack
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from router.actors.actor import Context
from router.actors.supervisor import Child
from router.clocks import ManualClock
from router.names import EnvironmentName
from router.pipeline import indexer
from router.pipeline.indexer import Indexer
from router.pipeline.insights import Insights
from router.pipeline.watermark import Watermark
from router.records import Entry, pack_body
from router.store.engine import Batch, Engine, NoSpace, Stalled
from router.store.log import Log, key_of
from router.store.meta import Meta
from router.store.rollups import EVALUATION, Position
from tests.pipeline import traffic
from tests.pipeline.conftest import Bench, body
from tests.pipeline.traffic import FLAGS, NAME, START

FAMILIES = ("rollups", "flags", "changes")


class Killed(Exception):
    pass


class Deadly:
    """An engine whose writes end the indexer: before the nth, or after it."""

    def __init__(self, engine: Engine, deaths: dict[int, str]) -> None:
        self._engine = engine
        self._deaths = deaths
        self.writes = 0

    def write(self, batch: Batch) -> None:
        self.writes += 1
        death = self._deaths.pop(self.writes, None)
        if death == "stalled":
            raise Stalled("busy")
        if death == "full":
            raise NoSpace("full")
        if death == "before":
            raise Killed
        self._engine.write(batch)
        if death == "after":
            raise Killed


class Store:
    """A log with entries, and as many sets of insights over it as a test wants, each under a number of its own."""

    _number = 1000

    def __init__(self, engine: Engine, entries: list[Entry]) -> None:
        self.engine = engine
        Store._number += 10
        self._first = Store._number
        name = EnvironmentName("default", f"environment-{self._first}")
        self.log = Log(name, engine, Meta(engine).log(name))
        batch = Batch()
        for entry in entries:
            if entry.events:
                packed = pack_body(entry.dialect, entry.endpoint, entry.facts, list(entry.events))
                self.log.stage(batch, START, packed, len(entry.events))
        self.engine.write(batch)
        self.log.advance(START)
        self.watermark = Watermark(self.log.head)

    def insights(self, number: int) -> Insights:
        made = Insights(NAME, self.engine, self._first + number, None)
        made.reset()
        return made

    async def index(self, insights: Insights, engine: object = None) -> None:
        made = Indexer(
            engine or self.engine,  # type: ignore[arg-type]
            self.log,
            self.watermark,
            insights,
            ManualClock(START),
        )
        await made.catch_up(Context("indexer"))

    def rows(self, number: int) -> list[tuple[str, bytes, object]]:
        """Everything that the insights of this number wrote, but for the number; the order within a row means nothing,
        the bytes of a sketch do."""
        start, end = ((self._first + each).to_bytes(4, "big") for each in (number, number + 1))
        return [
            (family, key[4:], value if key[4:5] == b"s" else unordered(msgpack.unpackb(value, strict_map_key=False)))
            for family in FAMILIES
            for key, value in self.engine.family(family).scan(start, end)
        ]


def unordered(value: object) -> object:
    return sorted(map(repr, value)) if isinstance(value, list) and value and isinstance(value[0], list) else value


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = Engine.open(tmp_path_factory.mktemp("db"))
    yield made
    made.close()


@settings(deadline=None, max_examples=40)
@given(
    log=st.lists(traffic.entries, min_size=1, max_size=14),
    deaths=st.dictionaries(st.integers(1, 10), st.sampled_from(("before", "after")), max_size=6),
    most=st.integers(1, 12),
)
def test_killed_at_any_point_it_makes_the_same_rows(
    engine: Engine, log: list[Entry], deaths: dict[int, str], most: int
) -> None:
    store = Store(engine, log)
    deadly = Deadly(store.engine, dict(deaths))

    async def run() -> None:
        await store.index(store.insights(1))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(indexer, "MOST_EVENTS", most)
            while True:
                try:
                    await store.index(store.insights(2), deadly)
                except Killed:
                    continue
                break

    trio.run(run)
    assert store.rows(1) == store.rows(2)


@settings(deadline=None, max_examples=40)
@given(log=st.lists(traffic.entries, min_size=1, max_size=14))
def test_rows_equal_a_brute_force_count_over_the_log(engine: Engine, log: list[Entry]) -> None:
    store = Store(engine, log)
    insights = store.insights(1)
    trio.run(store.index, insights)
    insights.reset()
    for read in (insights.rollups.rows, insights.rollups.hours):
        evaluations: Counter[tuple[str, bytes]] = Counter()
        for flag in FLAGS:
            for _, row in read(flag, 0, 2**31):
                for variation, amount in row.items():
                    if variation.of == EVALUATION:
                        evaluations[flag, variation.value] += amount.events
        assert evaluations == traffic.brute_force(log)[0]


@pytest.fixture
def store(engine: Engine) -> Store:
    summary = traffic.summary(START, START, {("a", 0, 1): 10})
    return Store(engine, [traffic.launchdarkly([summary], schema=4) for _ in range(20)])


async def test_it_waits_for_room_and_for_a_stalled_store(store: Store, autojump_clock: trio.abc.Clock) -> None:
    insights = store.insights(1)
    await store.index(insights, Deadly(store.engine, {1: "stalled", 2: "full", 3: "stalled"}))
    assert insights.position.offset == 20
    ((_, row),) = insights.rollups.rows("a", 0, 2**31)
    assert [amount.events for amount in row.values()] == [200]


async def test_what_retention_took_first_is_passed_over(store: Store) -> None:
    store.log.row = Meta.trimmed(store.log.row, 15)
    insights = store.insights(1)
    await store.index(insights)
    ((_, row),) = insights.rollups.rows("a", 0, 2**31)
    assert [amount.events for amount in row.values()] == [50]


async def test_what_cannot_be_read_is_passed_over(store: Store) -> None:
    batch = Batch()
    batch.delete(store.engine.family(store.log.row.family), key_of(7))
    store.engine.write(batch)
    insights = store.insights(1)
    await store.index(insights)
    assert insights.position.offset == 20
    ((_, row),) = insights.rollups.rows("a", 0, 2**31)
    assert [amount.events for amount in row.values()] == [190]


async def test_a_position_beyond_the_log_goes_back_to_its_end(bench: Bench, autojump_clock: trio.abc.Clock) -> None:
    insights = Insights(NAME, bench.engine, 1, None)
    batch = Batch()
    insights.rollups.move(batch, Position(50))
    bench.engine.write(batch)
    made = Indexer(bench.engine, bench.log, bench.watermark, insights, bench.clock)
    async with trio.open_nursery() as nursery:
        context: Context[None] = Context("indexer")
        nursery.start_soon(made.run, context)
        await trio.sleep(1)
        assert insights.position.offset == 0
        context.stopping.set()


async def test_it_goes_on_when_a_withdrawn_environment_comes_back(bench: Bench, autojump_clock: trio.abc.Clock) -> None:
    insights = Insights(NAME, bench.engine, 1, None)
    made = Indexer(bench.engine, bench.log, bench.watermark, insights, bench.clock)
    async with trio.open_nursery() as nursery:
        context: Context[None] = Context("indexer")
        nursery.start_soon(made.run, context)
        bench.watermark.close()
        await trio.sleep(5)
        batch = Batch()
        bench.log.stage(batch, 1, body(3), 3)
        bench.engine.write(batch)
        bench.log.advance(1)
        bench.watermark.reopen()
        bench.watermark.advance(3)
        await trio.sleep(5)
        assert insights.position.offset == 3
        context.stopping.set()


async def test_it_follows_the_log_and_stops_when_asked(bench: Bench) -> None:
    insights = Insights(NAME, bench.engine, 1, None)
    made: list[Indexer] = []

    def make() -> Indexer:
        made.append(Indexer(bench.engine, bench.log, bench.watermark, insights, bench.clock))
        return made[-1]

    async with bench.running(Child("indexer", make)) as root:
        for count in (3, 4):
            await bench.mailbox.ask(bench.fragment(count), timeout=5)
            with trio.fail_after(5):
                while insights.position.offset != bench.watermark.end:
                    await trio.sleep(0.01)
        root.stop()
    assert insights.position.offset == 7
    statistics = made[0].statistics()
    assert (statistics.events, statistics.lost, statistics.swept) == (7, 0, 1)
