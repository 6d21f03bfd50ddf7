"""Checkpoints of the running database, for backups: made in a moment as hard links, taken away by whoever asked."""

from dataclasses import dataclass
from pathlib import Path

from router.store import backup
from router.store.engine import Engine
from router.store.threads import Threads


@dataclass(frozen=True, slots=True)
class CheckpointsStatistics:
    """made: since the start; held: not discarded yet, each keeps the files it names from being deleted."""

    made: int
    held: int


class Checkpoints:
    """At most one is made at a time; what is left of an earlier process is gone since the engine was opened."""

    def __init__(self, engine: Engine, threads: Threads) -> None:
        self._engine = engine
        self._threads = threads
        self._made = 0
        self._held: set[str] = set()

    async def make(self) -> tuple[str, Path, int]:
        """Its name, its folder and the bytes of its files. It holds every event acknowledged until now.

        Raises:
            NoSpace: the disk is full.
            Damaged: a table cannot be read.
        """
        self._made += 1
        name = f"{self._made:06}"
        path = await self._threads.maintenance(lambda: self._engine.checkpoint(name))
        self._held.add(name)
        return name, path, backup.size(path)

    async def discard(self, name: str) -> bool:
        """Whether there was one of that name."""
        if name not in self._held:
            return False
        self._held.discard(name)
        await self._threads.maintenance(lambda: self._engine.discard_checkpoint(name))
        return True

    def statistics(self) -> CheckpointsStatistics:
        return CheckpointsStatistics(self._made, len(self._held))
