"""A checkpoint copied away and put back: all events are there, and old cursors are of another life."""

from pathlib import Path

import pytest

from router.store import backup
from router.store.engine import Engine
from router.store.log import Log
from router.store.meta import Meta
from tests.store.conftest import NAME, Disk


def test_a_copy_holds_what_was_written_until_then(disk: Disk, tmp_path: Path) -> None:
    disk.append(3, 2)
    backup.copy(disk.engine.checkpoint("one"), tmp_path / "copy")
    disk.append(4)
    disk.engine.discard_checkpoint("one")

    engine = Engine.open(tmp_path / "copy")
    assert Log(NAME, engine, Meta(engine).log(NAME)).head == 5
    engine.close()
    assert not list((disk.path / "checkpoints").iterdir())


def test_a_restored_log_has_the_events_and_another_epoch(disk: Disk, tmp_path: Path) -> None:
    disk.append(3, 2)
    copied: list[int] = []
    backup.copy(disk.engine.checkpoint("one"), tmp_path / "copy", progress=copied.append)

    assert backup.restore(tmp_path / "copy", tmp_path / "new") == 1
    assert sum(copied) == backup.size(tmp_path / "copy")
    engine = Engine.open(tmp_path / "new")
    log = Log(NAME, engine, Meta(engine).log(NAME))
    assert [stored.first for stored in log.read(0, log.head)] == [0, 3]
    assert log.epoch != disk.log.epoch
    engine.close()


def test_nothing_is_overwritten(disk: Disk, tmp_path: Path) -> None:
    disk.append(1)
    source = disk.engine.checkpoint("one")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "precious").touch()

    with pytest.raises(FileExistsError, match="not empty"):
        backup.copy(source, tmp_path / "copy")


def test_what_is_no_backup_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no backup"):
        backup.restore(tmp_path, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_interrupted_copy_leaves_nothing_under_its_name(disk: Disk, tmp_path: Path) -> None:
    disk.append(1)
    source = disk.engine.checkpoint("one")

    def fail(_bytes: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup.copy(source, tmp_path / "copy", progress=fail)
    assert not (tmp_path / "copy").exists()
    backup.copy(source, tmp_path / "copy")
