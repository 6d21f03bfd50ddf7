"""Durable cursors by name: how far a reader that is not always there has come in one environment's log.

Rows go into an engine batch, so a cursor moves in the same write as whatever it stands for. They are in the default
column family, beside the router's other rows: there are few, and each is small.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgpack

from router.ranges import NOTHING, Ranges
from router.store.engine import DEFAULT_FAMILY, Batch, Damaged, Engine

_CURSOR: Final = b"cursor/"


@dataclass(frozen=True, slots=True)
class Row:
    """epoch: of the log that the offsets are of. offset: the first one not dealt with. at: unix ms of the last move.

    beyond: what has been dealt with after `offset` all the same, by a reader that does not go in order.
    """

    epoch: str
    offset: int
    at: int
    beyond: Ranges = NOTHING


class Cursors:
    """The cursors of one kind in one environment.

    number: of the environment's log (`LogRow.number`). kind: what the names are of, such as `forward`; it keeps name
    spaces apart and has no slash in it.

    Raises, from any method that reads:
        Damaged: a row is none of this version.
    """

    def __init__(self, engine: Engine, number: int, kind: str) -> None:
        self._family = engine.family(DEFAULT_FAMILY)
        self._prefix = _CURSOR + f"{number}/{kind}/".encode()

    def read(self, name: str) -> Row | None:
        """The row of `name`, or None where it has none."""
        found = self._family.get(self._key(name))
        return None if found is None else _row(name, found)

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Every name with its row, in the order of the names' bytes."""
        for key, value in self._family.scan(self._prefix, self._prefix[:-1] + b"0"):
            name = key[len(self._prefix) :].decode()
            yield name, _row(name, value)

    def stage(self, batch: Batch, name: str, row: Row) -> None:
        """Put the row of `name` into `batch`."""
        value = msgpack.packb((row.epoch, row.offset, row.at, row.beyond.spans))
        batch.put(self._family, self._key(name), value)

    def remove(self, batch: Batch, name: str) -> None:
        """Let `batch` forget `name`; nothing happens where it is not known."""
        batch.delete(self._family, self._key(name))

    def _key(self, name: str) -> bytes:
        return self._prefix + name.encode()


def _row(name: str, value: bytes) -> Row:
    try:
        epoch, offset, at, spans = msgpack.unpackb(value, use_list=False)
        return Row(epoch, offset, at, Ranges(spans))
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise Damaged(f"the cursor {name!r} cannot be read: {error}") from error
