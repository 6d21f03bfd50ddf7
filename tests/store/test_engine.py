"""The engine: all or nothing, told-apart failures, and a directory that is only ever this router's."""

import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from router.errors import Fatal
from router.store.engine import Batch, Damaged, Engine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine.open(tmp_path / "db")
    yield opened
    opened.close()


def put(engine: Engine, family: str, **items: str) -> None:
    batch = Batch()
    for key, value in items.items():
        batch.put(engine.family(family), key.encode(), value.encode())
    engine.write(batch)


def test_a_batch_spans_families_and_survives_reopening(tmp_path: Path) -> None:
    engine = Engine.open(tmp_path / "db")
    batch = Batch()
    batch.put(engine.family("a"), b"1", b"x")
    batch.put(engine.family("b"), b"2", b"y")
    engine.write(batch)
    engine.sync()
    engine.close()

    again = Engine.open(tmp_path / "db")
    assert (again.family("a").get(b"1"), again.family("b").get(b"2")) == (b"x", b"y")
    assert {"default", "a", "b"} == set(again.families)
    again.close()


def test_reads_find_their_place(engine: Engine) -> None:
    put(engine, "f", a="1", c="3", e="5")
    family = engine.family("f")

    assert list(family.scan(b"b")) == [(b"c", b"3"), (b"e", b"5")]
    assert list(family.scan(b"a", b"e")) == [(b"a", b"1"), (b"c", b"3")]
    assert family.floor(b"d") == (b"c", b"3")
    assert family.floor(b"c") == (b"c", b"3")
    assert family.floor(b"0") is None
    assert family.last() == (b"e", b"5")
    assert engine.family("empty").last() is None


def test_deletes_take_single_keys_and_ranges(engine: Engine) -> None:
    put(engine, "f", a="1", b="2", c="3", d="4")
    batch = Batch()
    batch.delete(engine.family("f"), b"a")
    batch.delete_range(engine.family("f"), b"b", b"d")
    engine.write(batch)

    assert list(engine.family("f").scan(b"")) == [(b"d", b"4")]


def test_a_batch_can_be_written_again_after_a_failure(engine: Engine) -> None:
    """RocksDB's own batch is used up by a failed write; ours is plain data."""
    batch = Batch()
    batch.put(engine.family("f"), b"k", b"v")
    engine.write(batch)
    engine.write(batch)

    assert engine.statistics().writes == 2
    assert engine.family("f").get(b"k") == b"v"


def test_a_dropped_family_is_gone(engine: Engine) -> None:
    put(engine, "f", a="1")
    engine.drop("f")

    assert "f" not in engine.families
    assert engine.family("f").get(b"a") is None


def test_a_second_process_is_told_that_the_directory_is_in_use(engine: Engine) -> None:
    script = (
        "from pathlib import Path; from router.store.engine import Engine, Locked\n"
        f"try: Engine.open(Path({str(engine.path)!r}))\nexcept Locked: print('locked')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "locked\n"


def test_a_directory_opened_by_another_tool_with_defaults_is_refused(tmp_path: Path) -> None:
    """rocksdict rewrites its settings file to raw_mode=false when a tool opens the directory with its defaults."""
    Engine.open(tmp_path / "db").close()
    settings = tmp_path / "db" / "rocksdict-config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"raw_mode": False}))

    with pytest.raises(ValueError, match="raw_mode"):
        Engine.open(tmp_path / "db")


def test_damage_in_the_middle_of_the_write_ahead_log_is_refused(tmp_path: Path) -> None:
    """The default recovery mode drops every synced record behind the damage in silence (measured)."""
    directory = abandoned(tmp_path, records=100)
    log = max(directory.glob("*.log"), key=lambda path: path.stat().st_size)
    content = bytearray(log.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4] = bytes(byte ^ 0xFF for byte in content[middle : middle + 4])
    log.write_bytes(content)

    with pytest.raises(Damaged):
        Engine.open(directory)


def test_a_torn_tail_of_the_write_ahead_log_costs_the_last_write_only(tmp_path: Path) -> None:
    directory = abandoned(tmp_path, records=100)
    log = max(directory.glob("*.log"), key=lambda path: path.stat().st_size)
    log.write_bytes(log.read_bytes()[:-20])

    engine = Engine.open(directory)
    assert [b"%03d" % n for n in range(99)] == [key for key, _ in engine.family("f").scan(b"")]
    engine.close()


def abandoned(tmp_path: Path, *, records: int) -> Path:
    """A directory whose process died after `records` synced writes, so that they are in the log alone."""
    directory = tmp_path / "db"
    script = f"""
import os
from pathlib import Path
from router.store.engine import Batch, Engine
engine = Engine.open(Path({str(directory)!r}))
family = engine.family("f")
for n in range({records}):
    batch = Batch()
    batch.put(family, b"%03d" % n, os.urandom(500))
    engine.write(batch)
    engine.sync()
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    return directory


def test_a_closed_engine_says_so(tmp_path: Path) -> None:
    engine = Engine.open(tmp_path / "db")
    family = engine.family("f")
    engine.close()

    with pytest.raises(ValueError, match="closed"):
        engine.write(Batch())
    with pytest.raises(ValueError, match="closed"):
        family.get(b"a")


def test_gauges_are_readable(engine: Engine) -> None:
    put(engine, "f", a="1")

    assert engine.gauge("rocksdb.live-sst-files-size", "f") == 0
    assert engine.gauge("rocksdb.no-such-thing") is None


def test_settings_that_a_crash_left_half_written_are_written_anew(tmp_path: Path) -> None:
    Engine.open(tmp_path / "db").close()
    (tmp_path / "db" / "rocksdict-config.json").write_text('{"raw')

    Engine.open(tmp_path / "db").close()

    assert json.loads((tmp_path / "db" / "rocksdict-config.json").read_text())["raw_mode"] is True


def test_a_database_that_stopped_writing_is_opened_around_the_damaged_table(tmp_path: Path) -> None:
    """A compaction that meets damage makes RocksDB refuse every write, of every family, from then on."""
    engine = Engine.open(tmp_path / "db")
    hurt, well = engine.family("hurt"), engine.family("well")
    for part in range(3):
        batch = Batch()
        for number in range(400):
            batch.put(hurt, b"%06d" % (number * 3 + part), os.urandom(100))
        engine.write(batch)
        hurt.map.flush(True)
    engine.close()
    table = sorted((tmp_path / "db").glob("*.sst"), key=lambda path: path.stat().st_size)[-1]
    content = bytearray(table.read_bytes())
    content[len(content) // 3] ^= 0xFF
    table.write_bytes(content)

    engine = Engine.open(tmp_path / "db")
    hurt, well = engine.family("hurt"), engine.family("well")
    with suppress(Damaged):
        hurt.compact(b"", b"\xff")
    batch = Batch()
    batch.put(well, b"key", b"value")
    with pytest.raises(Fatal, match="stopped all writes; started again"):
        engine.write(batch)
    hurt = well = None  # type: ignore[assignment]  # RocksDB's lock is held until every handle is gone
    batch = Batch()
    engine.close()
    del engine
    gc.collect()

    again = Engine.open(tmp_path / "db")
    assert again.damage is not None
    batch.put(again.family("well"), b"key", b"value")
    again.write(batch)
    again.sync()
    assert again.family("well").get(b"key") == b"value"
    with pytest.raises(Damaged):
        list(again.family("hurt").scan(b""))
    again.family("hurt").map.flush(True)
    again.write(batch)
    again.close()


def test_many_families_with_little_in_each_stay_in_memory(tmp_path: Path) -> None:
    """Each took a mebibyte for its first entries; 200 of them were more than all may hold: every write made a file."""
    engine = Engine.open(tmp_path / "db")
    names = [f"log.{n}" for n in range(200)]
    for _ in range(3):
        for name in names:
            batch = Batch()
            batch.put(engine.family(name), os.urandom(8), os.urandom(4000))
            engine.write(batch)
    assert sum(engine.gauge("rocksdb.num-entries-active-mem-table", name) or 0 for name in names) == 600
    engine.close()
