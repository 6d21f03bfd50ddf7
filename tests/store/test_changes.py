"""The index of changes: what it says is what a fresh one reads from the disk."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.changes import Change
from router.store.changes import Changes, Impact, Record
from router.store.engine import Batch, Engine


def record(
    number: int, time: int, flag: str = "a", aliases: tuple[str, ...] = (), impact: Impact | None = None
) -> Record:
    change = Change(f"00000000-0000-0000-0000-{number:012}", flag, "updated_rules", time, "…", "generic")
    return Record(change, impact or Impact(), aliases)


class Written:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.changes = Changes(engine, 1)

    def commit(self, *records: Record, drop: tuple[str, ...] = ()) -> None:
        for each in records:
            self.changes.put(each)
        for id_ in drop:
            self.changes.drop(id_)
        batch = Batch()
        self.changes.stage(batch)
        self.engine.write(batch)
        self.changes.advance()

    def times(self, first: int = 0, last: int = 10**9) -> list[int]:
        return [place.time for place in self.changes.between(first, last)]


@pytest.fixture
def written(engine: Engine) -> Written:
    return Written(engine)


def test_changes_are_in_the_order_of_their_time(written: Written) -> None:
    written.commit(record(1, 30), record(2, 10), record(3, 20), record(4, 20, "b"))
    for _ in range(2):
        assert written.times() == [10, 20, 20, 30]
        assert written.times(10, 20) == [10, 20, 20]
        assert written.times(11, 19) == []
        assert [place.time for place in written.changes.of_flag("a", 15, 30)] == [20, 30]
        assert len(written.changes) == written.changes.statistics().held == 4
        written.changes.load()


def test_a_change_may_move_and_keeps_its_aliases(written: Written) -> None:
    written.commit(record(1, 30, aliases=("other",)))
    written.commit(record(1, 10, aliases=("other",), impact=Impact("small", 3.5, "evaluations")))
    for _ in range(2):
        assert written.times() == [10]
        found = written.changes.record("other")
        assert found is not None
        assert found.impact.size == "small"
        place = written.changes.place("other")
        assert place is not None
        assert (place.time, place.size) == (10, "small")
        written.changes.load()


def test_what_is_staged_is_seen_by_its_writer_alone(written: Written) -> None:
    written.commit(record(1, 10), record(2, 20))
    written.changes.put(record(1, 15))
    written.changes.put(record(3, 30))
    written.changes.drop(record(2, 0).change.id)
    assert [place.time for place in written.changes.of_flag("a", 0, 100)] == [15, 30]
    assert written.times() == [10, 20]
    written.changes.load()
    assert [place.time for place in written.changes.of_flag("a", 0, 100)] == [10, 20]


def test_a_dropped_change_is_gone(written: Written) -> None:
    written.commit(record(1, 10), record(2, 20))
    written.commit(drop=(record(1, 10).change.id,))
    for _ in range(2):
        assert written.times() == [20]
        assert written.changes.record(record(1, 10).change.id) is None
        written.changes.load()


def test_clearing_leaves_other_environments(engine: Engine) -> None:
    one, other = Written(engine), Written(engine)
    other.changes = Changes(engine, 2)
    for each in (one, other):
        each.commit(record(1, 10))
    batch = Batch()
    one.changes.clear_all(batch)
    engine.write(batch)
    for each in (one, other):
        each.changes.load()
    assert (one.times(), other.times()) == ([], [10])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 50), st.booleans()), max_size=4), max_size=6))
def test_the_index_is_what_is_on_disk(engine_of_module: Engine, steps: list[list[tuple[int, int, bool]]]) -> None:
    written = Written(engine_of_module)
    batch = Batch()
    written.changes.clear_all(batch)
    engine_of_module.write(batch)
    written.changes.load()
    for step in steps:
        for number, time, drop in step:
            if drop:
                written.changes.drop(record(number, time).change.id)
            else:
                written.changes.put(record(number, time, flag="ab"[number % 2]))
        written.commit()
    fresh = Changes(engine_of_module, 1)
    fresh.load()
    assert fresh.between(0, 100) == written.changes.between(0, 100)
    for flag in "ab":
        assert fresh.of_flag(flag, 0, 100) == written.changes.of_flag(flag, 0, 100)


@pytest.fixture(scope="module")
def engine_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = Engine.open(tmp_path_factory.mktemp("db"))
    yield made
    made.close()
