"""What fsck finds, and that it changes nothing."""

from pathlib import Path

import pytest

from router.store import backup, fsck
from router.store.engine import Batch, Engine
from router.store.log import key_of
from tests.store.conftest import Disk


def copied(disk: Disk, target: Path) -> Path:
    backup.copy(disk.engine.checkpoint(target.name), target)
    return target


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and "LOG" not in path.name}


def test_a_sound_directory_has_no_findings_and_is_not_changed(disk: Disk, tmp_path: Path) -> None:
    disk.append(3, 2)
    folder = copied(disk, tmp_path / "copy")
    before = files(folder)
    read: list[int] = []

    [result] = fsck.check(folder, progress=read.append)

    assert isinstance(result, fsck.Checked)
    assert (result.events, result.low, result.head, sum(read)) == (5, 0, 5, 5)
    assert files(folder) == before


def test_a_missing_entry_is_named(disk: Disk, tmp_path: Path) -> None:
    disk.append(2, 3, 2)
    batch = Batch()
    batch.delete(disk.engine.family(disk.log.row.family), key_of(2))
    disk.engine.write(batch)

    finding, checked = fsck.check(copied(disk, tmp_path / "copy"))

    assert "events 2 to 4 of default/production are missing" in str(finding)
    assert isinstance(checked, fsck.Checked)
    assert checked.events == 4


def test_a_damaged_table_is_named_and_the_rest_is_read(disk: Disk, tmp_path: Path) -> None:
    disk.append(*[1] * 400)
    folder = copied(disk, tmp_path / "copy")
    table = max(folder.glob("*.sst"), key=lambda path: path.stat().st_size)
    data = bytearray(table.read_bytes())
    data[len(data) // 3] ^= 0xFF
    table.write_bytes(data)

    findings = [result for result in fsck.check(folder) if isinstance(result, fsck.Finding)]

    assert findings
    assert "default/production" in str(findings[0])


def test_what_is_no_data_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no data of a router"):
        list(fsck.check(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_damaged_write_ahead_log_is_named(disk: Disk, tmp_path: Path) -> None:
    disk.append(*[1] * 400)
    disk.engine.sync()
    folder = tmp_path / "copy"
    folder.mkdir()
    for path in disk.path.iterdir():
        if path.is_file() and path.name != "LOCK":
            (folder / path.name).write_bytes(path.read_bytes())
    log = max(folder.glob("*.log"), key=lambda path: path.stat().st_size)
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 0xFF
    log.write_bytes(data)

    [finding] = fsck.check(folder)

    assert isinstance(finding, fsck.Finding)
    assert finding.where == log.name


def test_a_running_router_can_be_looked_at(disk: Disk) -> None:
    disk.append(3)
    disk.engine.sync()

    assert any(isinstance(result, fsck.Checked) and result.events == 3 for result in fsck.check(disk.path))
    assert Engine.open(disk.path, read_only=True).damage is None
