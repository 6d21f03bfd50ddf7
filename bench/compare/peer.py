"""A candidate: how it is found, started, posted to and followed."""

import os
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from bench.compare.failure import Failure
from bench.compare.footprint import family
from bench.compare.tools import Tools

START = 30.0  # seconds
STOP = 30.0
Beginning = Literal["latest", "earliest"]
Purpose = Literal["live", "keep", "spread"]


@dataclass(frozen=True)
class Resume:
    """How a reader goes on when its stream is ended.

    Attributes:
        request: with `@RESUME@` where the place goes.
        mark: what stands before the place in the stream.
        own: events that come after the place in the frame that it belongs to.
    """

    request: bytes
    mark: str
    own: int


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    if method != "GET":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class Peer(ABC):
    """A server that takes events and, but for some, streams them.

    A subclass says what it is and fills in `command`, `posts` and `streams`; one instance is started and stopped many
    times, each time in a directory of its own.
    """

    name: ClassVar[str]
    about: str  # how it is set up, for the table's notes
    durable: ClassVar[bool]
    batched: ClassVar[bool] = True  # several events go in one request
    history: ClassVar[int | None] = None  # most events that it can replay; None for all that are stored
    protocol: ClassVar[Literal["http", "redis", "nats"]] = "http"

    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        self.label = self.name
        self.port = 0
        self.log = Path()
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def missing(self) -> str | None:
        """What is not found on this machine; None when all is there."""

    @abstractmethod
    def command(self, folder: Path) -> list[str]:
        """What starts it on `self.port` with its data in `folder`."""

    @abstractmethod
    def posts(self, batch: int, purpose: Purpose = "live") -> list[bytes]:
        """Requests of `batch` events each, to be sent in turn.

        Args:
            purpose: `keep` when all events must be there to replay, `spread` when they go to all environments.
        """

    def replies(self, batch: int) -> int:
        """Answers to one request."""
        return 1

    def preamble(self) -> bytes:
        """What is sent once on a connection before the first request."""
        return b""

    def streams(self, beginning: Beginning) -> dict[str, bytes]:
        """Requests that open a stream, by the name of its form; none where there is no stream over HTTP."""
        return {}

    def resume(self) -> Resume | None:
        """How server-sent events are gone on with; None where they cannot be."""
        return None

    def prepare(self) -> None:  # noqa: B027  most need nothing
        """What has to be made once after the start: a stream, a topic."""

    @property
    def pids(self) -> list[int]:
        """All its processes."""
        assert self._process is not None
        return family(self._process.pid)

    def start(self, folder: Path, prefix: list[str]) -> None:
        """Start it with `prefix` before its command (strace, taskset) and wait until it takes connections.

        Raises:
            Failure: it ended, or takes none.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.log = folder / "log"
        environ = os.environ | self.tools.environ()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*prefix, *self.command(folder)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ,
                cwd=folder, start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + START
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                break
            except OSError:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise Failure(f"{self.name} did not start: {self.log.read_text(errors='replace')[-500:]}") from None
                time.sleep(0.02)
        self.prepare()

    def stop(self) -> None:
        """End all its processes."""
        process, self._process = self._process, None
        if process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(STOP)
            except ProcessLookupError:
                process.wait(STOP)
            except subprocess.TimeoutExpired:
                continue
            break

    def ask(self, data: bytes) -> bytes:
        """Send bytes on a connection of its own; the first bytes of the answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(data)
            return connection.recv(65536)
