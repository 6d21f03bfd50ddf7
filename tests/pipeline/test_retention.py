"""Where the low mark belongs: by age, by bytes, by whichever keeps less, never beyond what is durable."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.pipeline.retention import Retention, low_mark
from router.records import Event, pack_body
from router.store.engine import Batch, Engine
from router.store.log import Log
from router.store.meta import Meta
from router.store.segments import SEGMENT
from tests.pipeline.conftest import NAME

RAW = random.Random(1).randbytes(SEGMENT // 2 - 100)  # two entries make a segment, since nothing compresses them


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """Ten entries of half a segment each, of two events each, which arrived at 0 s, 1 s, … 9 s."""
    engine = Engine.open(tmp_path / "db")
    made = Log(NAME, engine, Meta(engine).log(NAME))
    for second in range(10):
        batch = Batch()
        events = [Event("custom", 1, "n", (), (), None, RAW), Event("custom", 1, "n", (), (), None, b"{}")]
        made.stage(batch, second * 1000, pack_body("d", "e", {}, events), 2)
        engine.write(batch)
        made.advance(second * 1000)
    yield made
    engine.close()


@pytest.mark.parametrize(
    ("retention", "low"),
    [
        (Retention(), 0),
        (Retention(age=100), 0),
        (Retention(age=9), 0),
        (Retention(age=8.5), 2),
        (Retention(age=1), 16),
        (Retention(age=0.5), 18),
        (Retention(bytes=100 * SEGMENT), 0),
    ],
)
def test_by_age(log: Log, retention: Retention, low: int) -> None:
    assert low_mark(log, retention, 9000, 20) == low


def test_by_bytes_a_segment_at_a_time(log: Log) -> None:
    lows = [low_mark(log, Retention(bytes=most * SEGMENT), 9000, 20) for most in range(6)]

    assert lows == sorted(lows, reverse=True)
    assert lows[5] == 0
    for most, low in enumerate(lows[1:], 1):
        assert log.size_from(low) <= most * SEGMENT


def test_whichever_keeps_less_counts(log: Log) -> None:
    by_bytes = low_mark(log, Retention(bytes=2 * SEGMENT), 9000, 20)

    assert low_mark(log, Retention(age=8.5, bytes=2 * SEGMENT), 9000, 20) == by_bytes
    assert low_mark(log, Retention(age=0.5, bytes=2 * SEGMENT), 9000, 20) == 18


def test_what_is_not_durable_yet_is_kept(log: Log) -> None:
    assert low_mark(log, Retention(age=0), 10**9, 20) == 20
    assert low_mark(log, Retention(age=0), 10**9, 6) == 6
