"""The router's own rows: the format of the directory, and which log belongs to which environment."""

from dataclasses import dataclass, replace
from typing import Final

import msgpack

from router.names import EnvironmentName, new_epoch
from router.store.engine import DEFAULT_FAMILY, Batch, Engine, NoSpace, Stalled

FORMAT: Final = 1
_FORMAT_KEY: Final = b"format"
_ENVIRONMENT: Final = b"environment/"
_PROBE_KEY: Final = b"probe"


@dataclass(frozen=True, slots=True)
class LogRow:
    """What is kept of one environment's log besides its entries.

    number: names its column family, never reused. epoch: this life of the log, part of every cursor. low: the low mark,
    offset of the first event that retention keeps.
    """

    number: int
    epoch: str
    low: int

    @property
    def family(self) -> str:
        return f"log.{self.number}"


class Meta:
    """The rows of the default column family. read_only: of a directory that is not to be changed.

    Raises:
        ValueError: the directory was written by a router whose format this one does not read.
    """

    def __init__(self, engine: Engine, *, read_only: bool = False) -> None:
        self._engine = engine
        self._family = engine.family(DEFAULT_FAMILY)
        found = self._family.get(_FORMAT_KEY)
        if found is None and read_only:
            raise ValueError(f"{engine.path} holds no data of a router")
        if found is None:
            batch = Batch()
            batch.put(self._family, _FORMAT_KEY, str(FORMAT).encode())
            engine.write(batch)
            engine.sync()
        elif found != str(FORMAT).encode():
            raise ValueError(
                f"{engine.path} is of on-disk format {found.decode(errors='replace')} and this router reads {FORMAT}: "
                "start the router version that wrote it, or restore a backup made by this one"
            )

    def logs(self) -> dict[EnvironmentName, LogRow]:
        """Every environment that has a log here, configured or not."""
        rows = self._family.scan(_ENVIRONMENT, _ENVIRONMENT[:-1] + b"0")
        return {
            EnvironmentName.parse(key[len(_ENVIRONMENT) :].decode()): LogRow(*msgpack.unpackb(value))
            for key, value in rows
        }

    def log(self, name: EnvironmentName) -> LogRow:
        """The row of an environment's log, made durably with a fresh epoch where there is none. Blocks."""
        known = self.logs()
        if name in known:
            return known[name]
        row = LogRow(max((row.number for row in known.values()), default=0) + 1, new_epoch(), 0)
        self._engine.family(row.family)
        batch = Batch()
        self.put(batch, name, row)
        self._engine.write(batch)
        self._engine.sync()
        return row

    def put(self, batch: Batch, name: EnvironmentName, row: LogRow) -> None:
        """Add the row to a batch, so that it changes together with what it describes."""
        batch.put(self._family, _ENVIRONMENT + str(name).encode(), msgpack.packb((row.number, row.epoch, row.low)))

    def probe(self) -> bool:
        """Whether the database can write, found out by writing a row that means nothing."""
        batch = Batch()
        batch.put(self._family, _PROBE_KEY, b"")
        try:
            self._engine.write(batch)
        except (NoSpace, Stalled):
            return False
        return True

    @staticmethod
    def reborn(row: LogRow, epoch: str) -> LogRow:
        """The row of the same log in another life."""
        return replace(row, epoch=epoch)

    @staticmethod
    def trimmed(row: LogRow, low: int) -> LogRow:
        return replace(row, low=low)
