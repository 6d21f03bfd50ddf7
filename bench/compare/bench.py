"""One run: candidates take turns, each turn from a fresh start."""

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.compare.failure import Failure
from bench.compare.footprint import settle
from bench.compare.peer import Peer
from bench.compare.programs import Programs
from bench.compare.results import Figures, Results
from bench.compare.settings import Settings

Record = Callable[[str, Figures], None]
"""Takes a row's name and its figures."""


class Launch(Protocol):
    """Starts the candidate in an empty directory; the running candidate is there until the context ends."""

    def __call__(self, delay: int = 0) -> AbstractContextManager[Peer]: ...


@dataclass(frozen=True)
class Turn:
    """What a measure gets to measure one candidate once."""

    launch: Launch
    settings: Settings
    programs: Programs
    record: Record
    failed: Callable[[str], None]

    def rest(self, peer: Peer) -> None:
        """Let what the last figure left behind (indexes, flushes) come to an end before the next."""
        settle(peer.pids, self.settings.settled)

    @contextlib.contextmanager
    def tried(self, row: str) -> Iterator[None]:
        """One row: a failure in it is kept, and the turn goes on with the next."""
        try:
            yield
        except Failure as failure:
            self.failed(f"{row}: {failure}")


Measure = Callable[[Turn], None]


class Bench:
    """Runs measures and keeps their figures."""

    def __init__(self, settings: Settings, programs: Programs, results: Results) -> None:
        self.settings = settings
        self.programs = programs
        self.results = results

    def run(self, name: str, measure: Measure, candidates: Sequence[Peer], after: Callable[[], None]) -> None:
        """All rounds of one measure; `after` each round what there is can be saved.

        The order of the candidates turns with the rounds. A candidate that fails says so and takes the next round.
        """
        for turn in range(self.settings.rounds):
            shift = turn % max(1, len(candidates))
            for peer in (*candidates[shift:], *candidates[:shift]):
                begin = time.monotonic()
                failed = self._failed(name, peer, turn)
                record = self._record(name, peer, turn)
                try:
                    measure(Turn(self._launch(peer), self.settings, self.programs, record, failed))
                except (Failure, OSError, subprocess.SubprocessError) as failure:  # whatever a server's death brings
                    failed(str(failure))
                print(f"{name}: {peer.label}: {time.monotonic() - begin:.0f} s", flush=True)
            after()

    def _launch(self, peer: Peer) -> Launch:
        @contextlib.contextmanager
        def launch(delay: int = 0) -> Iterator[Peer]:
            folder = Path(tempfile.mkdtemp(prefix="compare-", dir=self.settings.folder))
            prefix = ["taskset", "-c", "0"] if self.settings.pinned else []
            if delay:
                prefix += traced(delay, folder)
            try:
                peer.start(folder, prefix)
                yield peer
            finally:
                peer.stop()
                shutil.rmtree(folder, ignore_errors=True)

        return launch

    def _failed(self, name: str, peer: Peer, turn: int) -> Callable[[str], None]:
        def failed(why: str) -> None:
            self.results.failures.append(f"{name}, {peer.label}, round {turn + 1}: {why}")
            print(f"{name}: {peer.label}: failed: {why}", flush=True)

        return failed

    def _record(self, name: str, peer: Peer, turn: int) -> Record:
        def record(row: str, figures: Figures) -> None:
            self.results.add(name, row, peer.label, turn, figures)
            shown = ", ".join(f"{quantity} {value:,.5g}" for quantity, value in figures.items())
            print(f"{name} {row}: {peer.label}: {shown}", flush=True)

        return record


def traced(delay: int, folder: Path) -> list[str]:
    """A prefix with which every fsync of a command takes `delay` ms longer; other calls run at their speed.

    -D keeps the command our child. strace is told to look at nothing else by a filter in the kernel.
    """
    rule = f"inject=fdatasync,fsync:delay_exit={delay * 1000}"
    return [
        *("strace", "-D", "-f", "-qq", "--seccomp-bpf", "-o", str(folder / "strace")),
        *("-e", "trace=fdatasync,fsync", "-e", rule),
    ]
