"""`router insights rebuild`: the rows that a replay of the log makes are those that were there."""

from pathlib import Path

import pytest
import trio

from router.clocks import ManualClock
from router.pipeline.insights import Insights
from router.pipeline.rebuild import Rebuilt, first_whole_minute, rebuild
from router.records import Entry, pack_body
from router.store.engine import Batch, Engine
from router.store.log import Log
from router.store.meta import Meta
from router.store.rollups import Position
from tests.pipeline import traffic
from tests.pipeline.traffic import NAME, START

HOUR = 3600_000
ANY = 2**31


def fill(engine: Engine, entries: list[tuple[int, Entry]]) -> Log:
    """A log with entries at their stamps."""
    log = Log(NAME, engine, Meta(engine).log(NAME))
    for stamp, entry in entries:
        batch = Batch()
        log.stage(batch, stamp, pack_body(entry.dialect, entry.endpoint, entry.facts, list(entry.events)), 1)
        engine.write(batch)
        log.advance(stamp)
    return log


def summary(time: int, count: int) -> Entry:
    return traffic.launchdarkly([traffic.summary(time, time, {("a", 0, 1): count})], schema=4)


def run(path: Path) -> list[Rebuilt]:
    told: list[Rebuilt] = []
    trio.run(rebuild, path, {NAME: None}, ManualClock(START + 5 * HOUR), told.append)
    return told


def counts(path: Path) -> dict[int, int]:
    """Evaluations by hours since `START`, minutes and hours alike."""
    engine = Engine.open(path)
    rollups = Insights(NAME, engine, 1, None).rollups
    minutes, hours = (
        {
            (minute - START // 60_000) // 60: sum(amount.events for amount in row.values())
            for minute, row in read("a", 0, ANY)
        }
        for read in (rollups.rows, rollups.hours)
    )
    engine.close()
    assert minutes == hours
    return minutes


def test_all_is_made_again(tmp_path: Path) -> None:
    engine = Engine.open(tmp_path)
    change = traffic.change("a", START + HOUR, 1)
    fill(engine, [(START, summary(START, 3)), (START + HOUR, change), (START + HOUR, summary(START + HOUR, 5))])
    insights = Insights(NAME, engine, 1, None)
    batch = Batch()
    insights.rollups.add(batch, "never", 5, {})
    insights.rollups.move(batch, Position(2))
    engine.write(batch)
    engine.close()
    for _ in range(2):
        assert run(tmp_path) == [Rebuilt(NAME, 3, 1, 0)]
        assert counts(tmp_path) == {0: 3, 1: 5}


def test_what_the_log_has_lost_stays_counted(tmp_path: Path) -> None:
    """Nothing is counted twice and nothing is lost, late events included."""
    engine = Engine.open(tmp_path)
    late = (START + 3 * HOUR, summary(START + HOUR, 100))
    log = fill(engine, [(START + hour * HOUR + 60_000, summary(START + hour * HOUR, 2**hour)) for hour in range(3)])
    engine.close()
    run(tmp_path)
    engine = Engine.open(tmp_path)
    log = fill(engine, [late])
    batch = Batch()
    log.row = Meta.trimmed(log.row, 1)
    Meta(engine).put(batch, NAME, log.row)
    engine.write(batch)
    assert first_whole_minute(log) == START // 60_000 + 120
    engine.close()
    assert counts(tmp_path) == {0: 1, 1: 2, 2: 4}
    (rebuilt,) = run(tmp_path)
    assert (rebuilt.events, rebuilt.floor) == (3, START // 60_000 + 120)
    # The late one had not been counted before.
    assert counts(tmp_path) == {0: 1, 1: 102, 2: 4}
    run(tmp_path)
    assert counts(tmp_path) == {0: 1, 1: 102, 2: 4}


@pytest.mark.parametrize("arrived", [START, START + 1, START + HOUR])
def test_the_first_whole_minute_is_of_an_hour(tmp_path: Path, arrived: int) -> None:
    engine = Engine.open(tmp_path)
    log = fill(engine, [(START, summary(START, 1)), (arrived, summary(arrived, 1))])
    assert first_whole_minute(log) == 0
    log.row = Meta.trimmed(log.row, 1)
    assert first_whole_minute(log) == START // 60_000 + (0 if arrived == START else 60)
    engine.close()
