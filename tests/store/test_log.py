"""The log against a plain list: dense offsets, reads from anywhere, look-up by time, nothing skipped in silence."""

from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from router.store.engine import Batch, Damaged, Engine
from router.store.log import Log, key_of
from router.store.meta import Meta
from tests.store.conftest import NAME, Disk


def test_offsets_are_dense_across_entries_and_reopening(disk: Disk) -> None:
    disk.append(3, 1, 2)
    disk.reopen()
    disk.append(2)

    assert disk.log.head == 8
    assert list(range(8)) == disk.names(0, 8)


@pytest.mark.parametrize("offset", range(6))
def test_a_read_begins_with_the_entry_that_holds_the_offset(disk: Disk, offset: int) -> None:
    disk.append(3, 1, 2)
    first = {0: 0, 1: 0, 2: 0, 3: 3, 4: 4, 5: 4}[offset]

    assert list(range(first, 6)) == disk.names(offset, 6)


def test_a_read_stops_at_the_end_it_was_given(disk: Disk) -> None:
    disk.append(3)
    disk.append(2)

    assert disk.names(0, 3) == [0, 1, 2]
    assert disk.names(3, 3) == []


def test_retracted_offsets_are_given_again(disk: Disk) -> None:
    batch = Batch()
    assert disk.log.stage(batch, 1, b"", 5) == 0
    disk.log.retract()
    disk.append(2)

    assert disk.names(0, 2) == [0, 1]


def test_a_missing_entry_is_damage_not_silence(disk: Disk) -> None:
    disk.append(1, 1, 1)
    batch = Batch()
    batch.delete(disk.engine.family(disk.log.row.family), key_of(1))
    disk.engine.write(batch)

    with pytest.raises(Damaged, match="events 1 to 1 of default/production are missing"):
        disk.names(0, 3)


def test_a_missing_tail_is_damage_not_silence(disk: Disk) -> None:
    disk.append(1, 1, 1)
    batch = Batch()
    batch.delete(disk.engine.family(disk.log.row.family), key_of(2))
    disk.engine.write(batch)

    with pytest.raises(Damaged, match="events 2 to 2"):
        disk.names(0, 3)


def test_an_unreadable_entry_is_damage_and_named(disk: Disk) -> None:
    disk.append(2)
    batch = Batch()
    batch.put(disk.engine.family(disk.log.row.family), key_of(0), b"\x96\x01garbage")
    disk.engine.write(batch)

    with pytest.raises(Damaged, match="offset 0 of default/production"):
        disk.names(0, 2)


@pytest.mark.parametrize(
    ("time", "offset"), [(0, 0), (10, 0), (11, 2), (20, 2), (21, 5), (29, 5), (30, 5), (31, 7), (99, 7)]
)
def test_a_time_finds_the_first_event_that_arrived_then_or_later(disk: Disk, time: int, offset: int) -> None:
    disk.append(2, arrived=10)
    disk.append(3, arrived=20)
    disk.append(1, 1, arrived=30)

    assert offset == disk.log.offset_at(time, disk.log.head)


def test_a_time_in_an_empty_log_is_its_end(disk: Disk) -> None:
    assert disk.log.offset_at(5, 0) == 0


def test_statistics_are_of_the_moment(disk: Disk) -> None:
    disk.append(3, arrived=7)

    assert (disk.log.statistics().head, disk.log.statistics().low, disk.log.statistics().last_arrival) == (3, 0, 7)


class LogMachine(RuleBasedStateMachine):
    """Appends, failed writes, reads and reopening in any order, against a list of (arrived, offset)."""

    @initialize(tmp=st.uuids())
    def begin(self, tmp: object) -> None:
        base = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path("/tmp")
        self.path = base / f"router-log-{tmp}"
        engine = Engine.open(self.path)
        self.disk = Disk(self.path, engine, Log(NAME, engine, Meta(engine).log(NAME)))
        self.model: list[int] = []
        self.now = 1

    @rule(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4), later=st.integers(0, 3))
    def append(self, sizes: list[int], later: int) -> None:
        self.now += later
        self.disk.append(*sizes, arrived=self.now)
        self.model.extend([self.now] * sum(sizes))

    @rule(size=st.integers(1, 4))
    def fail_to_write(self, size: int) -> None:
        self.disk.log.stage(Batch(), self.now, b"", size)
        self.disk.log.retract()

    @rule()
    def reopen(self) -> None:
        self.disk.reopen()

    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        offset = data.draw(st.integers(0, len(self.model)))
        found = self.disk.names(offset, len(self.model))
        assert list(range(offset, len(self.model))) == [place for place in found if place >= offset]

    @rule(time=st.integers(0, 60))
    def find(self, time: int) -> None:
        expected = next((n for n, arrived in enumerate(self.model) if arrived >= time), len(self.model))
        assert expected == self.disk.log.offset_at(time, len(self.model))

    @invariant()
    def head_is_the_length(self) -> None:
        if hasattr(self, "model"):
            assert len(self.model) == self.disk.log.head

    def teardown(self) -> None:
        if hasattr(self, "disk"):
            self.disk.engine.close()
            for path in sorted(self.path.rglob("*"), reverse=True):
                path.unlink()
            self.path.rmdir()


TestLogMachine = LogMachine.TestCase
TestLogMachine.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
