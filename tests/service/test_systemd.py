"""The router under the real systemd, where one runs; the other tests here play its part."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def systemctl(*arguments: str) -> str:
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, timeout=90, check=False)
    return done.stdout.strip()


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[str]:
    """A running transient unit with the notify protocol and a watchdog."""
    if not Path("/run/systemd/system").is_dir() or shutil.which("systemd-run") is None:
        pytest.skip("no systemd is PID 1 here: the unit is not started for real")
    if os.geteuid() != 0:
        pytest.skip("starting a transient unit needs root")
    name = f"router-test-{os.getpid()}.service"
    command = ["systemd-run", f"--unit={name}", "--service-type=notify", "--property=WatchdogSec=3"]
    command += [f"--working-directory={ROOT}", sys.executable, "-m", "router", "serve", "--demo"]
    command += ["--bind", "127.0.0.1:0", "--data", str(tmp_path / "data")]
    subprocess.run(command, check=True, timeout=90)  # returns when it is ready
    yield name
    subprocess.run(["systemctl", "stop", name], check=False, timeout=90)
    subprocess.run(["systemctl", "reset-failed", name], check=False, timeout=90)


def test_systemd_starts_watches_and_stops_it(unit: str) -> None:
    assert systemctl("show", "--property=ActiveState", "--value", unit) == "active"
    time.sleep(7)  # two periods of the watchdog
    assert systemctl("show", "--property=NRestarts,ActiveState", "--value", unit).split() == ["0", "active"]
    assert "1 environments" in systemctl("show", "--property=StatusText", "--value", unit)
    systemctl("stop", unit)
    assert systemctl("show", "--property=Result", "--value", unit) in ("success", "")
