"""Looks through a data directory for everything that is not what was written, and changes nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from router.names import EnvironmentName
from router.store import wal
from router.store.engine import Damaged, Engine
from router.store.log import Log, Unreadable
from router.store.meta import LogRow, Meta

EVERY: Final = 4096  # entries between two calls of `progress`


@dataclass(frozen=True, slots=True)
class Finding:
    """One damaged stretch. where: an environment, a family or a file; what: the stretch and what is wrong with it."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True, slots=True)
class Checked:
    """What was read of one environment. events: readable ones; low, head: its first and the one after its last."""

    name: EnvironmentName
    events: int
    low: int
    head: int


def check(path: Path, *, progress: Callable[[int], None] = lambda _: None) -> Iterator[Finding | Checked]:
    """Read everything below `path`, every checksum included.

    progress: called with the number of events read since it was called last.

    Raises:
        ValueError: `path` holds no data of this router, or of a format it does not read.
    """
    broken = wal.check(path)
    for damage in broken:
        what = f"bytes {damage.first} to {damage.last} of the write-ahead log are damaged: acknowledged events are lost"
        yield Finding(damage.file, what)
    try:
        engine = Engine.open(path, read_only=True)
    except Damaged as error:
        if not broken:
            yield Finding(str(path), f"cannot be opened: {error}")
        return
    try:
        if engine.damage is not None:
            yield Finding("tables", engine.damage)
        try:
            rows = Meta(engine, read_only=True).logs()
        except Damaged as error:
            yield Finding("default", f"the list of environments cannot be read: {error}")
            return
        for name, row in rows.items():
            yield from _log(engine, name, row, progress)
        for family in engine.families:
            if not family.startswith("log."):
                yield from _family(engine, family)
    finally:
        engine.close()


def _log(
    engine: Engine, name: EnvironmentName, row: LogRow, progress: Callable[[int], None]
) -> Iterator[Finding | Checked]:
    try:
        log = Log(name, engine, row)
    except Damaged as error:
        yield Finding(str(name), f"the log cannot be opened: {error}")
        return
    offset, events = log.low, 0
    while offset < log.head:
        try:
            pending = 0
            for number, stored in enumerate(log.read(offset, log.head), 1):
                events += stored.end - max(stored.first, offset)
                pending += stored.end - max(stored.first, offset)
                offset = stored.end
                if number % EVERY == 0:
                    progress(pending)
                    pending = 0
            progress(pending)
        except Unreadable as error:
            yield Finding(str(name), str(error))
            offset = error.last + 1
    yield Checked(name, events, log.low, log.head)


def _family(engine: Engine, name: str) -> Iterator[Finding]:
    last = b""
    try:
        for key, _ in engine.family(name).scan(b""):
            last = key
    except Damaged as error:
        yield Finding(name, f"rows after {last.hex() or 'the first'} cannot be read: {error}")
