"""The load generator and the reader, both C, compiled when they are needed."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.compare.failure import Failure
from bench.compare.peer import Beginning, Peer, Purpose

SOURCES = Path(__file__).parent


@dataclass(frozen=True)
class Loaded:
    """What the generator saw: requests answered, and how long their answers took in ms.

    `answers` are those of requests still under way too: a pipelined batch may outlast the window.
    `busy` is the share of a core that the generator took: near 1, it and not the server was the limit.
    """

    requests: int
    answers: int
    replies: int
    refused: int
    seconds: float
    p50: float
    p99: float
    unanswered: int
    begin: int
    busy: float

    @property
    def rate(self) -> float:
        """Requests a second, also as parts of one where they have several answers."""
        return self.answers / self.replies / self.seconds


class Followers:
    """Readers of one stream, all in one process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, command: str) -> dict[str, Any]:
        """One command and its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise Failure("the reader ended")
        found: dict[str, Any] = json.loads(line)
        return found

    def reset(self) -> None:
        """Count anew."""
        self.ask("reset")

    def until(self, events: int, seconds: float) -> dict[str, Any]:
        """What came, once it is so many events over all readers, or that time has passed."""
        return self.ask(f"until {events} {seconds}")


class Programs:
    """Both programs, compiled into a directory.

    Raises:
        Failure: there is no C compiler.
    """

    def __init__(self, folder: Path, *, pinned: bool = False) -> None:
        self.folder = folder
        self.prefix = ["taskset", "-c", "1"] if pinned else []
        compiler = os.environ.get("CC", "cc")
        for name in ("load", "follow"):
            command = [compiler, "-O2", "-w", "-o", str(folder / name), str(SOURCES / f"{name}.c")]
            try:
                subprocess.run(command, check=True)
            except FileNotFoundError:
                raise Failure(f"the load generator needs a C compiler: {compiler} is not found") from None

    def load(
        self,
        peer: Peer,
        batch: int,
        *,
        connections: int,
        seconds: float,
        warm: float = 0,
        rate: float = 0,
        count: int = 0,
        purpose: Purpose = "live",
    ) -> "subprocess.Popen[str]":
        """Begin to post; `loaded` waits for its end.

        Args:
            rate: requests a second, whether answers come or not; 0 for as fast as they are answered.
            count: requests after which it ends; 0 for no such limit.
        """
        files = []
        for number, data in enumerate(peer.posts(batch, purpose)):
            files.append(self.folder / f"request-{batch}-{number}")
            files[-1].write_bytes(data)
        preamble = "-"
        if greeting := peer.preamble():
            (self.folder / "preamble").write_bytes(greeting)
            preamble = str(self.folder / "preamble")
        if count:
            connections = min(connections, count)
        numbers = (connections, seconds, warm, rate, count, peer.replies(batch))
        command = [*self.prefix, str(self.folder / "load"), str(peer.port), peer.protocol, *map(str, numbers), preamble]
        command += map(str, files)
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def loaded(self, process: "subprocess.Popen[str]") -> Loaded:
        """What the generator saw.

        Raises:
            Failure: it could not post, or was refused.
        """
        out, errors = process.communicate()
        if process.returncode:
            raise Failure(f"posting failed: {errors.strip()[-300:]}")
        found = json.loads(out)
        if found["bad"]:
            raise Failure(f"{found['bad']} of {found['ok']} posts were refused: {found['first_bad'].strip()}")
        if not found["answers"]:
            raise Failure("no post was answered")
        return Loaded(
            *(
                found[name]
                for name in ("ok", "answers", "replies", "bad", "seconds", "p50", "p99", "unanswered", "begin", "busy")
            )
        )

    @contextmanager
    def followers(
        self, peer: Peer, count: int, beginning: Beginning = "latest", form: str = "server-sent events"
    ) -> Iterator[Followers]:
        """Readers, all of them connected.

        Raises:
            Failure: some were not let in.
        """
        file = self.folder / "stream"
        file.write_bytes(peer.streams(beginning)[form])
        command = [*self.prefix, str(self.folder / "follow"), str(peer.port), str(count), str(file)]
        if form == "server-sent events" and (resume := peer.resume()):
            (self.folder / "resume").write_bytes(resume.request)
            command += [str(self.folder / "resume"), resume.mark, str(resume.own)]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = json.loads(line) if line else {"ready": 0, "why": "the reader ended"}
            if found["ready"] != count:
                raise Failure(f"only {found['ready']} of {count} readers were let in: {found['why']}")
            yield Followers(process)
        finally:
            process.kill()
            process.communicate()

    def fill(self, peer: Peer, events: int, batch: int, seconds: float) -> int:
        """Store about `events` events within `seconds`; how many are stored."""
        size = batch if peer.batched else 1
        begin = time.monotonic()
        stored = 0
        while stored < events and time.monotonic() - begin < seconds:
            left = seconds - (time.monotonic() - begin)
            count = -(-(events - stored) // size)
            done = self.loaded(self.load(peer, size, connections=16, seconds=left, count=count, purpose="keep"))
            stored += done.requests * size
        return stored
