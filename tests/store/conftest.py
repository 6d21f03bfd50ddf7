"""A log in a fresh directory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from router.names import EnvironmentName
from router.records import Event, pack_body
from router.store.engine import Batch, Engine
from router.store.log import Log
from router.store.meta import Meta

NAME = EnvironmentName("default", "production")


@dataclass
class Disk:
    """A data directory with one log, which can be closed and opened again."""

    path: Path
    engine: Engine
    log: Log

    def append(self, *sizes: int, arrived: int = 1) -> None:
        """One entry for each size, of so many events named by their offset, in one batch."""
        batch = Batch()
        staged = self.log.head
        for size in sizes:
            events = [Event("custom", arrived, str(staged + n), (), (), None, b"{}") for n in range(size)]
            assert staged == self.log.stage(batch, arrived, pack_body("d", "e", {}, events), size)
            staged += size
        self.engine.write(batch)
        self.log.advance(arrived)

    def names(self, offset: int, end: int) -> list[int]:
        """Offsets of the events that a read gives, each as its event says and as its place says."""
        found = []
        for stored in self.log.read(offset, end):
            for place, event in enumerate(stored.entry.events, stored.first):
                assert str(place) == event.name
                found.append(place)
        return found

    def reopen(self) -> None:
        self.engine.close()
        self.engine = Engine.open(self.path)
        self.log = Log(NAME, self.engine, Meta(self.engine).log(NAME))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    engine = Engine.open(tmp_path / "db")
    opened = Disk(tmp_path / "db", engine, Log(NAME, engine, Meta(engine).log(NAME)))
    yield opened
    opened.engine.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine without a log."""
    opened = Engine.open(tmp_path / "plain")
    yield opened
    opened.close()
