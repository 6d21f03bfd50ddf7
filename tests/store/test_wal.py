"""The check of the write-ahead log: damage in the middle is found, a torn tail is none."""

import os
from pathlib import Path

import pytest

from router.store.engine import Batch, Damaged, Engine
from router.store.wal import BLOCK, check, faults


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A write-ahead log of some blocks, with records shorter and longer than one."""
    path = tmp_path_factory.mktemp("wal") / "db"
    engine = Engine.open(path)
    family = engine.family("f")
    for number in range(300):
        batch = Batch()
        batch.put(family, b"%06d" % number, os.urandom(BLOCK * 2 if number % 50 == 7 else 400))
        engine.write(batch)
    engine.sync()
    data = max(path.glob("*.log"), key=lambda found: found.stat().st_size).read_bytes()
    engine.close()
    assert len(data) > 8 * BLOCK
    return data


def test_a_whole_log_has_no_fault(log: bytes) -> None:
    assert faults(log, "x") == []


@pytest.mark.parametrize("cut", [1, 7, 100, 399, 1000, BLOCK, 3 * BLOCK + 5])
def test_a_torn_tail_is_no_fault(log: bytes, cut: int) -> None:
    assert faults(log[:-cut], "x") == []


def test_zeros_at_the_end_are_no_fault(log: bytes) -> None:
    assert faults(log + bytes(BLOCK), "x") == []


@pytest.mark.parametrize("part", [n / 40 for n in range(40)])
def test_a_flipped_byte_is_found_where_it_is(log: bytes, part: float) -> None:
    place = int(len(log) * part)
    damaged = bytearray(log)
    damaged[place] ^= 0xFF

    found = faults(bytes(damaged), "x")

    assert len(found) == 1
    assert found[0].first <= place <= found[0].last


def test_a_directory_with_a_damaged_log_is_refused_by_name(tmp_path: Path) -> None:
    engine = Engine.open(tmp_path / "db")
    family = engine.family("f")
    for number in range(200):
        batch = Batch()
        batch.put(family, b"%06d" % number, os.urandom(400))
        engine.write(batch)
    engine.sync()
    log = max((tmp_path / "db").glob("*.log"), key=lambda found: found.stat().st_size)
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in (tmp_path / "db").iterdir():
        if path.is_file() and path.name != "LOCK":
            (copy / path.name).write_bytes(path.read_bytes())
    engine.close()
    damaged = bytearray((copy / log.name).read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    (copy / log.name).write_bytes(damaged)

    assert [found.file for found in check(copy)] == [log.name]
    with pytest.raises(Damaged, match=f"{log.name}, bytes .*router restore"):
        Engine.open(copy)
