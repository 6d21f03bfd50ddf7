"""`router export`: a stretch of an environment's events as a file for analysis.

It reads the data directory itself, without changing it and without a lock: the router may run meanwhile, and what it
takes after the export began is not in it. A backup is exported the same way.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, Final, Self

import msgspec

from router import units
from router.names import Cursor, EnvironmentName
from router.sse import one_line
from router.store.engine import Engine
from router.store.log import Log, Stored, Unreadable
from router.store.meta import Meta

GROUP: Final = 20_000  # events of a Parquet row group: some megabytes in memory
_encode = msgspec.json.Encoder().encode


class Format(StrEnum):
    """NDJSON: one JSON object a line. PARQUET: columns, with `pyarrow`, of the extra `export`."""

    NDJSON = "ndjson"
    PARQUET = "parquet"


class NothingThere(Exception):
    """There is no such log in the directory."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Offsets from `first` to `last` cannot be read."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Row:
    """One event of an export. time, received: unix ms. attributes, data: JSON."""

    cursor: str
    time: int
    received: int
    dialect: str
    endpoint: str
    kind: str
    name: str
    flags: tuple[str, ...]
    contexts: tuple[str, ...]
    attributes: bytes
    data: bytes


class Export:
    """The events of `environment` in `directory` that arrived from `begin` up to `end` (unix ms; None for no bound).

    Use it as a context manager. `count` is the number of events, those that cannot be read included.

    Raises:
        NothingThere: the directory has no log of the environment.
        ValueError: it holds no data of a router.
        Damaged: it cannot be opened.
    """

    def __init__(self, directory: Path, environment: EnvironmentName, begin: int | None, end: int | None) -> None:
        self._engine = Engine.open(directory, read_only=True)
        try:
            rows = Meta(self._engine).logs()
            if environment not in rows:
                known = ", ".join(map(str, sorted(rows))) or "none"
                raise NothingThere(f"{directory} has no events of {environment}: it has those of {known}")
            self._log = Log(environment, self._engine, rows[environment])
            head = self._log.head
            self._first = self._log.low if begin is None else self._log.offset_at(begin, head)
            self._end = head if end is None else self._log.offset_at(end, head)
        except BaseException:
            self._engine.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    @property
    def count(self) -> int:
        return max(0, self._end - self._first)

    def rows(self) -> Iterator[Row | Lost]:
        """Every event in order, and in their places the stretches that cannot be read."""
        offset = self._first
        while offset < self._end:
            try:
                for stored in self._log.read(offset, self._end):
                    yield from self._rows(stored, offset)
                    offset = stored.end
            except Unreadable as error:
                last = min(error.last, self._end - 1)
                yield Lost(max(error.first, offset), last)
                offset = last + 1

    def _rows(self, stored: Stored, low: int) -> Iterator[Row]:
        entry, epoch = stored.entry, self._log.epoch
        for offset, event in enumerate(stored.entry.events, stored.first):
            if low <= offset < self._end:
                yield Row(
                    str(Cursor(epoch, offset)),
                    event.time,
                    entry.arrived,
                    entry.dialect,
                    entry.endpoint,
                    event.kind,
                    event.name,
                    event.flags,
                    event.contexts,
                    _encode(event.attributes or {}),
                    event.raw,
                )


def ndjson(row: Row) -> bytes:
    """A line: the attributes as they are in Parquet, and the event's own JSON untouched as `data`."""
    told = {
        "cursor": row.cursor,
        "time": row.time,
        "received": row.received,
        "dialect": row.dialect,
        "endpoint": row.endpoint,
        "kind": row.kind,
        "name": row.name,
        "flags": row.flags,
        "contexts": row.contexts,
    }
    head = _encode(told)
    return b"".join((head[:-1], b',"attributes":', row.attributes, b',"data":', one_line(row.data), b"}\n"))


class ParquetFile:
    """Writes rows into a Parquet file, group by group.

    Raises:
        ImportError: pyarrow is not installed.
    """

    def __init__(self, file: IO[bytes]) -> None:
        import pyarrow as arrow
        import pyarrow.parquet as parquet

        text = arrow.string()
        stamp = arrow.timestamp("ms", tz="UTC")
        self._schema = arrow.schema(
            [
                ("cursor", text),
                ("time", stamp),
                ("received", stamp),
                ("dialect", arrow.dictionary(arrow.int32(), text)),
                ("endpoint", arrow.dictionary(arrow.int32(), text)),
                ("kind", arrow.dictionary(arrow.int32(), text)),
                ("name", text),
                ("flags", arrow.list_(text)),
                ("contexts", arrow.list_(text)),
                ("attributes", text),
                ("data", text),
            ]
        )
        self._arrow = arrow
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._rows: list[Row] = []

    def add(self, row: Row) -> None:
        self._rows.append(row)
        if len(self._rows) >= GROUP:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if not self._rows:
            return
        columns: list[Any] = []
        for field in self._schema:
            values: list[Any] = [getattr(row, field.name) for row in self._rows]
            if field.name in ("attributes", "data"):
                values = [value.decode("utf-8", "replace") for value in values]
            columns.append(self._arrow.array(values, type=field.type))
        self._writer.write_table(self._arrow.Table.from_arrays(columns, schema=self._schema))
        self._rows.clear()


def when(text: str, now: int) -> int:
    """Unix ms of a time: in milliseconds, ISO 8601 (UTC without a zone), or a duration before `now`, as in `7d`.

    Raises:
        ValueError: it is none of them.
    """
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        return now - round(units.duration(text) * 1000)
    except ValueError:
        pass
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f'{text[:40]!r} is no time: write milliseconds, "2026-07-01T12:00Z", or "7d" for ago'
        ) from None
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)


def write(export: Export, file: IO[bytes], form: Format, step: Callable[[int], None]) -> list[Lost]:
    """Write all of `export` into `file`; returns what cannot be read. step: told how many events have been dealt with.

    Raises:
        ImportError: Parquet is asked for, and pyarrow is not installed.
    """
    lost: list[Lost] = []
    parquet = ParquetFile(file) if form is Format.PARQUET else None
    for row in export.rows():
        if isinstance(row, Lost):
            lost.append(row)
            step(row.last - row.first + 1)
            continue
        if parquet is None:
            file.write(ndjson(row))
        else:
            parquet.add(row)
        step(1)
    if parquet is not None:
        parquet.close()
    return lost
