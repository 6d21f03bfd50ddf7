"""The Node SDKs, driven by `drive.cjs`; skipped where node is missing."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests import npm
from tests.sdk.drive_statsig import SPECS
from tests.sdk.recorder import Recorder

HERE = Path(__file__).parent


class Driver:
    """Runs one SDK against a recorder."""

    def __init__(self, modules: Path) -> None:
        self._environ = os.environ | {"NODE_PATH": str(modules), "NODE_NO_WARNINGS": "1"}

    def start(self, recording: Recorder, sdk: str, *options: str) -> subprocess.Popen[str]:
        """The SDK at work; it says on standard error which pause it has come to."""
        command = ["node", str(HERE / "drive.cjs"), sdk, recording.url, json.dumps(SPECS), *options]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self._environ)

    def finish(self, running: subprocess.Popen[str]) -> dict[str, int]:
        """How many calls it made."""
        out, errors = running.communicate(timeout=60)
        assert running.returncode == 0, errors
        calls: dict[str, int] = json.loads(out.splitlines()[-1])
        return calls

    def wait_for(self, running: subprocess.Popen[str], pause: int) -> None:
        """Wait until it has come to that pause."""
        assert running.stderr is not None
        while (line := running.stderr.readline()).strip() != str(pause):
            assert line or running.poll() is None


@pytest.fixture(scope="session")
def driver() -> Driver:
    try:
        return Driver(npm.installed(HERE / "package.json"))
    except npm.Missing as error:
        pytest.skip(str(error))
