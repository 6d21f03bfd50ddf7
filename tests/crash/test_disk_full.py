"""A disk that fills up: posts are refused, readers go on, nothing acknowledged is lost, and it resumes by itself."""

import http.client
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.load import key_of, read_all
from tests.process import RouterProcess, router

SIZE = 48 * 1024 * 1024
CONFIG = """
[server]
bind = ["127.0.0.1:0"]
[storage]
min_free = "{min_free}"
[[environment]]
project = "default"
key = "production"
sdk_keys = ["sdk-demo"]
[[token]]
name = "all"
token = "api-demo"
scopes = ["stream", "admin"]
environments = ["*"]
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MiB of its own."""
    mount = tmp_path / "disk"
    mount.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(mount)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"a file system cannot be mounted here: {done.stderr.decode().strip()}")
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


def post(process: RouterProcess, name: str) -> tuple[int, dict[str, str]]:
    """One event of 20 KB that does not compress."""
    event = {
        "kind": "custom",
        "key": name,
        "creationDate": 1,
        "contextKeys": {"user": "u"},
        "data": os.urandom(10_000).hex(),
    }
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=20)
    try:
        connection.request("POST", "/bulk", json.dumps([event]), {"Authorization": "sdk-demo"})
        answer = connection.getresponse()
        answer.read()
        return answer.status, {key.lower(): value for key, value in answer.headers.items()}
    finally:
        connection.close()


def ready(process: RouterProcess) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=20)
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def fill(process: RouterProcess) -> list[str]:
    """Post until it refuses; the names of what was acknowledged."""
    kept: list[str] = []
    for number in range(10_000):
        status, headers = post(process, f"e{number}")
        if status != 202:
            assert status == 503
            assert int(headers["retry-after"]) > 0
            return kept
        kept.append(f"e{number}")
    raise AssertionError("the disk did not fill up")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("min_free", ["8MiB", "0"], ids=["guarded", "to-the-last-byte"])
def test_a_full_disk_costs_nothing_that_was_acknowledged(tmp_path: Path, disk: Path, min_free: str) -> None:
    config = tmp_path / "router.toml"
    config.write_text(CONFIG.format(min_free=min_free))
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(16 * 1024 * 1024))
    with router(disk / "data", config) as process:
        process.errors = tmp_path / "errors"
        kept = fill(process)
        assert len(kept) > 100
        status, body = ready(process)
        assert status == 503
        assert "disk" in json.loads(body)["reasons"][0]
        assert [key_of(message) for message in read_all(process.port, len(kept))] == kept, "readers go on"

        ballast.unlink()
        freed = time.monotonic()
        while ready(process)[0] != 200:
            assert time.monotonic() - freed < 30, ready(process)
            time.sleep(0.1)
        assert post(process, "after")[0] == 202
        log = [key_of(message) for message in read_all(process.port, len(kept) + 1)]
        assert log == [*kept, "after"]
        process.kill()
        process.start()
        assert [key_of(message) for message in read_all(process.port, len(log))] == log
