"""Named cursors: durable with the batch they are in, apart by environment and by kind."""

import pytest

from router.ranges import Ranges
from router.store.cursors import Cursors, Row
from router.store.engine import DEFAULT_FAMILY, Batch, Damaged
from router.store.meta import Meta
from tests.store.conftest import NAME, Disk

ROW = Row("abcdefgh", 7, 1_700_000_000_000, Ranges(((9, 12), (20, 21))))


def put(disk: Disk, cursors: Cursors, name: str, row: Row) -> None:
    batch = Batch()
    cursors.stage(batch, name, row)
    disk.engine.write(batch)


def test_a_row_is_read_back_also_after_a_restart(disk: Disk) -> None:
    put(disk, Cursors(disk.engine, 1, "forward"), "hub", ROW)
    disk.reopen()
    assert Cursors(disk.engine, 1, "forward").read("hub") == ROW
    assert Cursors(disk.engine, 1, "forward").read("other") is None


def test_environments_and_kinds_are_apart(disk: Disk) -> None:
    put(disk, Cursors(disk.engine, 1, "forward"), "hub", ROW)
    assert not list(Cursors(disk.engine, 1, "consumer").rows())
    assert not list(Cursors(disk.engine, 10, "forward").rows())
    assert Cursors(disk.engine, 1, "consumer").read("hub") is None


def test_rows_are_listed_by_name(disk: Disk) -> None:
    cursors = Cursors(disk.engine, 1, "forward")
    for name in ("b", "a", "ünï/çode", ""):
        put(disk, cursors, name, ROW)
    assert [name for name, _ in cursors.rows()] == ["", "a", "b", "ünï/çode"]


def test_a_batch_that_is_not_written_moves_nothing(disk: Disk) -> None:
    cursors = Cursors(disk.engine, 1, "forward")
    cursors.stage(Batch(), "hub", ROW)
    assert cursors.read("hub") is None


def test_a_removed_row_is_gone(disk: Disk) -> None:
    cursors = Cursors(disk.engine, 1, "forward")
    put(disk, cursors, "hub", ROW)
    batch = Batch()
    cursors.remove(batch, "hub")
    cursors.remove(batch, "never known")
    disk.engine.write(batch)
    assert cursors.read("hub") is None


def test_the_routers_own_rows_are_not_touched(disk: Disk) -> None:
    put(disk, Cursors(disk.engine, 1, "forward"), "hub", ROW)
    disk.reopen()
    assert list(Meta(disk.engine).logs()) == [NAME]


def test_a_row_that_is_none_is_damage(disk: Disk) -> None:
    batch = Batch()
    batch.put(disk.engine.family(DEFAULT_FAMILY), b"cursor/1/forward/hub", b"\x93\x01\x02\x03")
    disk.engine.write(batch)
    with pytest.raises(Damaged, match="the cursor 'hub' cannot be read"):
        Cursors(disk.engine, 1, "forward").read("hub")
