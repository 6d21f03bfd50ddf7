"""What a service manager is to a service: a notify socket, and descriptors that are passed on."""

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

CONFIG = """
[[environment]]
project = "default"
key = "production"
sdk_keys = ["sdk-demo"]
[[token]]
name = "reader"
token = "api-demo"
scopes = ["stream"]
"""

# Does what systemd does between fork and exec: the passed socket becomes descriptor 3 (sd_listen_fds(3)).
_EXEC = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = "1"
os.execv(sys.argv[2], sys.argv[2:])
"""


class Manager:
    """Runs `router serve` on data in `folder` as a service; `listener` is passed on as descriptor 3."""

    def __init__(self, folder: Path, *, listener: socket.socket | None = None, watchdog: float | None = None) -> None:
        self.folder = folder
        self.heard: list[str] = []
        self.process: subprocess.Popen[str] | None = None
        self._listener = listener
        self._watchdog = watchdog
        self._path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._path))

    def start(self) -> None:
        """Start it, and return when it has said that it is ready."""
        self.spawn()
        self.wait("READY=1")

    def spawn(self) -> None:
        environ = os.environ | {"NOTIFY_SOCKET": str(self._path)}
        if self._watchdog is not None:
            environ["WATCHDOG_USEC"] = str(round(self._watchdog * 1_000_000))
        config = self.folder / "router.toml"
        config.write_text(CONFIG)
        command = [
            sys.executable,
            "-m",
            "router",
            "serve",
            "--config",
            str(config),
            "--data",
            str(self.folder / "data"),
        ]
        passed: tuple[int, ...] = ()
        if self._listener is None:
            command += ["--bind", "127.0.0.1:0"]
        else:
            command = [sys.executable, "-c", _EXEC, str(self._listener.fileno()), *command, "--bind", "fd://3"]
            passed = (self._listener.fileno(),)
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(command, env=environ, pass_fds=passed, stdout=log, stderr=log, text=True)

    def wait(self, line: str, timeout: float = 30.0) -> str:
        """Listen until a message with `line` in it has come; returns the message."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if select.select([self._socket], [], [], 0.1)[0]:
                self.heard.append(self._socket.recv(4096).decode())
                if line in self.heard[-1]:
                    return self.heard[-1]
            elif self.process is not None and self.process.poll() is not None:
                break
        raise AssertionError(f"no {line!r} in {self.heard}\n{(self.folder / 'log').read_text()}")

    def listen(self, seconds: float) -> list[str]:
        """What is said in the next `seconds`."""
        before = len(self.heard)
        end = time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            if select.select([self._socket], [], [], rest)[0]:
                self.heard.append(self._socket.recv(4096).decode())
        return self.heard[before:]

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self, timeout: float = 40.0) -> int:
        """SIGTERM; returns the exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout)

    @property
    def url(self) -> str:
        """Where it serves, by its own account."""
        found = re.findall(r"serves on (http://\S+)", (self.folder / "log").read_text())
        return str(found[-1])

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self._socket.close()
