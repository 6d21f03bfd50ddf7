"""A router as a real process, in a directory and on a port of its own."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

START_TIMEOUT = 30.0
PLAIN = """
[server]
bind = ["127.0.0.1:0"]
fast_lane = false
[[environment]]
project = "default"
key = "production"
sdk_keys = ["sdk-demo"]
mobile_keys = ["mob-demo"]
client_side_ids = ["demo-client-side-id"]
statsig_keys = ["secret-demo", "client-demo"]
[[token]]
name = "demo"
token = "api-demo"
scopes = ["stream", "insights", "ingest", "admin"]
environments = ["*"]
"""
"""What `--demo` is configured as, without the fast lane."""


class RouterProcess:
    """`router serve`, started and ended as an operator would. `url` is where it serves.

    Without a `config` it is the demo, on a free port that stays the same across restarts.
    """

    def __init__(
        self, data: Path, config: Path | None = None, *, environ: dict[str, str] | None = None, secure: bool = False
    ) -> None:
        self.data = data
        self.config = config
        self.url = ""
        self.errors = data.with_suffix(".log")
        self.prefix: list[str] = []
        self._environ = os.environ | (environ or {})
        self._scheme = "https" if secure else "http"
        self._process: subprocess.Popen[str] | None = None

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it says that it serves."""
        command = [*self.prefix, sys.executable, "-m", "router", "serve", "--data", str(self.data)]
        command += ["--config", str(self.config)] if self.config else ["--demo"]
        if self.url or not self.config:
            command += ["--bind", self.url.removeprefix(f"{self._scheme}://") or "127.0.0.1:0"]
        with self.errors.open("a") as errors:
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, env=self._environ
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        match = re.search(rf"{self._scheme}://\S+?:\d+", line)
        if match is None:
            self._process.stdout.close()
            self._process.wait(START_TIMEOUT)
            raise AssertionError(f"the router did not start: {line!r}\n{self.errors.read_text()}")
        self.url = match[0].rstrip(",")

    def kill(self) -> None:
        """SIGKILL: no warning, no goodbye."""
        self._end(signal.SIGKILL, 10)

    def stop(self, timeout: float = 40) -> int:
        """SIGTERM; returns the exit status."""
        return self._end(signal.SIGTERM, timeout)

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, timeout: float) -> int:
        """Wait for it to end by itself; returns the exit status."""
        assert self._process is not None
        status = self._process.wait(timeout)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return status

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _end(self, number: signal.Signals, timeout: float) -> int:
        self.send(number)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            assert self._process is not None
            self._process.kill()
            self.wait(10)
            raise AssertionError(
                f"the router did not end within {timeout} s of {number.name}\n{self.errors.read_text()}"
            ) from None


@contextlib.contextmanager
def router(
    data: Path | None = None,
    config: Path | None = None,
    *,
    environ: dict[str, str] | None = None,
    secure: bool = False,
) -> Iterator[RouterProcess]:
    """A running router; killed at the end if it still runs, with its errors shown when the test fails."""
    with tempfile.TemporaryDirectory(prefix="router-test-") as directory:
        process = RouterProcess(data or Path(directory) / "data", config, environ=environ, secure=secure)
        process.start()
        try:
            yield process
        finally:
            if process.running:
                process.kill()
