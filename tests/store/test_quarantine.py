"""What is set aside can be read, survives, and never grows without bound."""

from collections import deque
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.store.engine import Batch, Engine
from router.store.quarantine import AGE, FAMILY, MAX_RAW, Item, Quarantine, _Index

NOW = 1_700_000_000_000


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine.open(tmp_path)


def keep(engine: Engine, quarantine: Quarantine, *raws: bytes, now: int = NOW) -> None:
    batch = Batch()
    for raw in raws:
        quarantine.stage(batch, Item(now, "launchdarkly", "bulk", "not an object", raw, len(raw)))
    quarantine.expire(batch, now)
    engine.write(batch)
    quarantine.advance()


def test_items_are_read_newest_first_also_after_a_restart(engine: Engine) -> None:
    keep(engine, Quarantine(engine, 1), b"1", b"2")
    again = Quarantine(engine, 1)
    keep(engine, again, b"3", now=NOW + 1)

    assert [item.raw for item in again.newest(10)] == [b"3", b"2", b"1"]
    assert [item.raw for item in again.newest(2)] == [b"3", b"2"]
    assert next(again.newest(1)) == Item(NOW + 1, "launchdarkly", "bulk", "not an object", b"3", 1)
    assert list(Quarantine(engine, 2).newest(10)) == []


def test_the_oldest_make_room(engine: Engine) -> None:
    quarantine = Quarantine(engine, 1, most=10)
    for n in range(30):
        keep(engine, quarantine, b"%d" % n, now=NOW + n)

    assert [item.raw for item in quarantine.newest(100)] == [b"%d" % n for n in range(29, 19, -1)]
    assert quarantine.statistics().dropped == 20
    assert len(list(engine.family(FAMILY).scan(b""))) == 10


def test_bytes_are_bounded_and_large_items_cut(engine: Engine) -> None:
    quarantine = Quarantine(engine, 1, most_bytes=200_000)
    for n in range(10):
        keep(engine, quarantine, b"x" * (MAX_RAW + 5), now=NOW + n)

    assert quarantine.statistics().bytes <= 200_000
    newest = next(quarantine.newest(1))
    assert (len(newest.raw), newest.size) == (MAX_RAW, MAX_RAW + 5)


def test_what_is_old_goes(engine: Engine) -> None:
    quarantine = Quarantine(engine, 1)
    keep(engine, quarantine, b"old")
    keep(engine, quarantine, b"new", now=NOW + AGE * 1000 + 1)

    assert [item.raw for item in quarantine.newest(10)] == [b"new"]
    assert quarantine.statistics().dropped == 0, "gone by age, not for want of room"


def test_what_was_not_written_is_not_there(engine: Engine) -> None:
    quarantine = Quarantine(engine, 1)
    quarantine.stage(Batch(), Item(NOW, "d", "e", "r", b"x", 1))
    quarantine.retract()

    assert list(quarantine.newest(10)) == []


@given(st.lists(st.none() | st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))))
def test_the_index_is_a_queue(steps: list[tuple[int, int, int] | None]) -> None:
    """None takes the oldest away."""
    index, model = _Index(), deque[tuple[int, int, int]]()
    for step in steps:
        if step is not None:
            index.append(*step)
            model.append(step)
        elif model:
            index.popleft()
            model.popleft()
        assert [index[place] for place in range(len(index))] == list(model)
        assert [index[-place] for place in range(1, len(index) + 1)] == list(reversed(model))
