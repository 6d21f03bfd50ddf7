"""`router backup`, `restore` and `fsck`, as an operator runs them, on a router that takes posts meanwhile."""

import json
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from random import Random

from router.names import Cursor
from tests.crash.load import Sender, key_of, read_all
from tests.process import RouterProcess, router


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "router", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def stream(process: RouterProcess, last: str) -> str:
    """The first message that a reader gets who was at `last`."""
    headers = {"Authorization": "api_key api-demo", "Last-Event-ID": last}
    with urllib.request.urlopen(urllib.request.Request(f"{process.url}/events", headers=headers), timeout=5) as answer:
        lines = b""
        while b"\n\n" not in lines:
            lines += answer.read1()
    return str(lines, "utf-8")


def test_a_backup_under_load_is_consistent_and_comes_back_as_another_life(tmp_path: Path) -> None:
    copy, again = tmp_path / "copy", tmp_path / "again"
    with router(tmp_path / "data") as process:
        senders = [Sender(number, process.port, Random(number)) for number in range(4)]
        stop = threading.Event()
        threads = [threading.Thread(target=sender.run, args=(stop,)) for sender in senders]
        for thread in threads:
            thread.start()
        while sum(len(sender.batches) for sender in senders) < 100:
            stop.wait(0.01)
        before = [batch for sender in senders for batch in list(sender.batches) if batch.offsets]
        made = run("backup", copy, "--url", process.url)
        stop.set()
        for thread in threads:
            thread.join(30)
        assert made.returncode == 0, made.stderr
        second = run("backup", copy, "--url", process.url)
        assert second.returncode == 1
        assert "not empty" in second.stderr
        assert not list((tmp_path / "data" / "checkpoints").iterdir())
        log = read_all(process.port, max(batch.offsets[1] for batch in before if batch.offsets) + 1)

    checked = run("fsck", copy, "--json")
    assert checked.returncode == 0, checked.stdout
    [found] = [json.loads(line) for line in checked.stdout.splitlines()]
    assert found["low"] == 0
    assert found["events"] == found["head"] > max(batch.offsets[1] for batch in before if batch.offsets)

    restored = run("restore", copy, "--data", again)
    assert restored.returncode == 0, restored.stderr
    with router(again) as process:
        kept = read_all(process.port, found["head"])
        pairs = list(zip(kept, log, strict=False))
        assert len(pairs) > max(batch.offsets[1] for batch in before if batch.offsets)
        assert all(key_of(now) == key_of(then) for now, then in pairs)
        reset = stream(process, log[-1].id)
        assert "event: reset" in reset
        assert Cursor.parse(kept[0].id).epoch != Cursor.parse(log[0].id).epoch


def test_what_cannot_be_done_is_said_in_a_sentence(tmp_path: Path) -> None:
    for arguments, text in (
        (("backup", tmp_path / "copy", "--url", "http://127.0.0.1:1"), "no router answers"),
        (("restore", tmp_path, "--data", tmp_path / "new"), "is no backup"),
        (("fsck", tmp_path / "none"), "holds no data of a router"),
    ):
        done = run(*arguments)
        assert done.returncode == 1
        assert text in done.stderr
        assert "Traceback" not in done.stderr


def test_a_data_directory_in_use_is_not_restored_over(tmp_path: Path) -> None:
    with router(tmp_path / "data") as process:
        assert run("backup", tmp_path / "copy", "--url", process.url).returncode == 0
        done = run("restore", tmp_path / "copy", "--data", tmp_path / "data")
        assert done.returncode == 1
        assert "not empty" in done.stderr


def test_a_damaged_range_is_named_and_the_status_says_so(tmp_path: Path) -> None:
    with router(tmp_path / "data") as process:
        sender, stop = Sender(1, process.port, Random(1)), threading.Event()
        threading.Timer(0.5, stop.set).start()
        sender.run(stop)
        assert run("backup", tmp_path / "copy", "--url", process.url).returncode == 0
    table = max((tmp_path / "copy").glob("*.sst"), key=lambda path: path.stat().st_size)
    data = bytearray(table.read_bytes())
    data[len(data) // 2] ^= 0xFF
    table.write_bytes(data)

    done = run("fsck", tmp_path / "copy")

    assert done.returncode == 1
    assert "damaged: default/production: events" in done.stdout
    assert "cannot be read" in done.stdout
