"""RocksDB, and the only importer of rocksdict.

rocksdict holds the GIL in writes, reads and checkpoints and releases it in `flush_wal` (measured: with a 20 ms fsync a
synced write freezes every thread for 20 ms). So a commit is `write` without sync, inline, then `sync` in a thread.
Data is visible before it is durable: readers must stop at a watermark of their own.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rocksdict import (  # noqa: TID251 - the one place that may
    BlockBasedOptions,
    Cache,
    ColumnFamily,
    DBCompressionType,
    DBRecoveryMode,
    Options,
    Rdict,
    RdictIter,
    ReadOptions,
    WriteBatch,
    WriteOptions,
)

from router.errors import Fatal

DEFAULT_FAMILY: Final = "default"
_MIB: Final = 1024 * 1024


class Locked(Exception):
    """Another process has the data directory open."""


class Stalled(Exception):
    """RocksDB wants writers to slow down; nothing was written, the same batch may be tried again in a moment."""


class NoSpace(Exception):
    """The disk is full; nothing was written. Reads go on, and so do writes once there is room."""


class Damaged(Exception):
    """What is on disk is not what was written: a checksum or the structure of a file does not hold."""


class Family:
    """One column family: an ordered map of bytes to bytes. Reads hold the GIL; keep each short."""

    def __init__(self, name: str, map_: Rdict, handle: ColumnFamily) -> None:
        self.name = name
        self._map: Rdict | None = map_
        self._handle: ColumnFamily | None = handle

    @property
    def map(self) -> Rdict:
        if self._map is None:
            raise ValueError(f"column family {self.name} is closed")
        return self._map

    @property
    def handle(self) -> ColumnFamily:
        if self._handle is None:
            raise ValueError(f"column family {self.name} is closed")
        return self._handle

    def get(self, key: bytes) -> bytes | None:
        """The value at `key`, or None."""
        try:
            value: bytes | None = self.map.get(key)
        except Exception as error:
            raise _classified(error) from error
        return value

    def floor(self, key: bytes) -> tuple[bytes, bytes] | None:
        """The last item at or before `key`."""
        cursor = self.map.iter()
        cursor.seek_for_prev(key)
        return _item(cursor)

    def last(self) -> tuple[bytes, bytes] | None:
        """The item with the greatest key."""
        cursor = self.map.iter()
        cursor.seek_to_last()
        return _item(cursor)

    def scan(self, start: bytes, end: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Items in key order from `start` up to, not including, `end`, as they are at the first step.

        The iterator pins that state: use it up or drop it soon.

        Raises:
            Damaged: a block does not have the checksum it was written with.
        """
        options = ReadOptions()
        if end is not None:
            options.set_iterate_upper_bound(end)
        cursor = self.map.iter(options)
        cursor.seek(start)
        while (item := _item(cursor)) is not None:
            yield item
            cursor.next()

    def close(self) -> None:
        """Let go of RocksDB's handles; the directory's lock is held until all of them are gone."""
        self._handle = None
        if self._map is not None:
            self._map.close()
            self._map = None


@dataclass(slots=True)
class Batch:
    """Changes that happen all or none. Kept as plain data: RocksDB's own batch is used up even by a failed write."""

    puts: list[tuple[Family, bytes, bytes]] = field(default_factory=list)
    deletes: list[tuple[Family, bytes]] = field(default_factory=list)
    range_deletes: list[tuple[Family, bytes, bytes]] = field(default_factory=list)

    def put(self, family: Family, key: bytes, value: bytes) -> None:
        self.puts.append((family, key, value))

    def delete(self, family: Family, key: bytes) -> None:
        self.deletes.append((family, key))

    def delete_range(self, family: Family, start: bytes, end: bytes) -> None:
        """Delete every key from `start` up to, not including, `end`."""
        self.range_deletes.append((family, start, end))


@dataclass(frozen=True, slots=True)
class EngineStatistics:
    """writes: batches written; syncs: WAL flushes that reached the disk; bytes: sizes of all values put."""

    writes: int
    syncs: int
    bytes: int


class Engine:
    """An open data directory.

    Raises, from any method:
        Fatal: RocksDB reports an I/O error that is not a full disk; the process must exit.
        Damaged: what was read is not what was written.
    """

    def __init__(self, path: Path, root: Rdict, families: dict[str, Family]) -> None:
        self.path = path
        self._root: Rdict | None = root
        self._families = families
        self._options = WriteOptions()
        self._options.no_slowdown = True
        self._writes = 0
        self._syncs = 0
        self._bytes = 0

    @classmethod
    def open(cls, path: Path) -> "Engine":
        """Open `path`, making it where it is missing. Replays the write-ahead log, which may take seconds.

        Raises:
            Locked: another process has it open.
            Damaged: the write-ahead log is broken before its end, or a file is missing.
            ValueError: the directory holds a database that is not this router's.
        """
        path.mkdir(parents=True, exist_ok=True)
        _check_raw_mode(path)
        try:
            names = Rdict.list_cf(str(path)) if (path / "CURRENT").exists() else [DEFAULT_FAMILY]
            root = Rdict(str(path), _database_options(), column_families={name: _family_options() for name in names})
            families = {name: _family(root, name) for name in names}
        except Exception as error:
            raise _classified(error) from error
        return cls(path, root, families)

    @property
    def families(self) -> tuple[str, ...]:
        return tuple(self._families)

    def family(self, name: str) -> Family:
        """The column family `name`, made if it is missing (9 ms: not on a request's path)."""
        found = self._families.get(name)
        if found is None:
            try:
                self._database.create_column_family(name, _family_options())
                found = self._families[name] = _family(self._database, name)
            except Exception as error:
                raise _classified(error) from error
        return found

    def drop(self, name: str) -> None:
        """Delete a column family and all it holds, whatever its size, in about 17 ms."""
        family = self._families.pop(name)
        family._handle = None  # noqa: SLF001 - closing a dropped family raises, so only the handle is let go
        self._database.drop_column_family(name)

    def write(self, batch: Batch) -> None:
        """Write `batch` into the log and memory, not yet to the disk: call `sync` before anyone hears of it.

        Raises:
            Stalled: try the same batch again in some milliseconds.
            NoSpace: the disk is full.
        """
        changes = WriteBatch(raw_mode=True)
        size = 0
        for family, key, value in batch.puts:
            changes.put(key, value, family.handle)
            size += len(value)
        for family, key in batch.deletes:
            changes.delete(key, family.handle)
        for family, start, end in batch.range_deletes:
            changes.delete_range(start, end, family.handle)
        try:
            self._database.write(changes, self._options)
        except Exception as error:
            raise _classified(error) from error
        self._writes += 1
        self._bytes += size

    def sync(self) -> None:
        """Make everything written so far durable: one fdatasync, GIL released. Blocks; call it in a thread.

        Raises:
            Fatal: the sync failed. What the disk holds is unknown from here on, so it is never tried again
                (PostgreSQL's wiki, "Fsync Errors").
        """
        try:
            self._database.flush_wal(True)
        except Exception as error:
            raise Fatal(f"syncing the write-ahead log in {self.path} failed: {error}") from error
        self._syncs += 1

    def gauge(self, name: str, family: str = DEFAULT_FAMILY) -> int | None:
        """A RocksDB integer property such as `rocksdb.live-sst-files-size`."""
        value: int | None = self._families[family].map.property_int_value(name)
        return value

    def close(self) -> None:
        """Flush, sync and let go of the directory. May take seconds; call it in a thread."""
        for family in self._families.values():
            family.close()
        self._families.clear()
        if self._root is not None:
            self._root.close()
            self._root = None

    def statistics(self) -> EngineStatistics:
        return EngineStatistics(self._writes, self._syncs, self._bytes)

    @property
    def _database(self) -> Rdict:
        if self._root is None:
            raise ValueError(f"the engine on {self.path} is closed")
        return self._root


def _family(root: Rdict, name: str) -> Family:
    return Family(name, root.get_column_family(name), root.get_column_family_handle(name))


def _item(cursor: RdictIter) -> tuple[bytes, bytes] | None:
    if cursor.valid():
        return cursor.key(), cursor.value()
    try:
        cursor.status()
    except Exception as error:
        raise _classified(error) from error
    return None


def _database_options() -> Options:
    options = _family_options()
    options.create_if_missing(True)
    # The default mode dropped half of the synced records in silence after a flipped byte in the middle of the log; this
    # one accepts a torn tail and refuses the rest (measured, docs/reliability.md).
    options.set_wal_recovery_mode(DBRecoveryMode.tolerate_corrupted_tail_records())
    options.set_max_background_jobs(2)
    options.set_db_write_buffer_size(128 * _MIB)
    # Idle families would otherwise pin the log for ever.
    options.set_max_total_wal_size(512 * _MIB)
    options.set_keep_log_file_num(5)
    options.set_stats_dump_period_sec(0)
    return options


def _family_options() -> Options:
    options = Options(raw_mode=True)
    # Small memtables: switching a full one under load showed hiccups of 18 to 35 ms at the default size.
    options.set_write_buffer_size(16 * _MIB)
    options.set_compression_type(DBCompressionType.lz4())
    table = BlockBasedOptions()
    table.set_block_cache(Cache(32 * _MIB))
    table.set_bloom_filter(10, False)
    options.set_block_based_table_factory(table)
    return options


def _check_raw_mode(path: Path) -> None:
    """Refuse a directory whose rocksdict settings were rewritten by a tool that opened it with defaults."""
    settings = path / "rocksdict-config.json"
    if settings.exists() and not json.loads(settings.read_text()).get("raw_mode", False):
        raise ValueError(
            f"{settings} says raw_mode=false: another tool opened this directory with its defaults; "
            "set raw_mode to true in that file and start again"
        )


def _classified(error: Exception) -> Exception:
    """RocksDB's errors are bare `Exception`s with the status as text: told apart here and nowhere else."""
    text = str(error)
    if "lock file" in text or ("LOCK" in text and "Resource temporarily unavailable" in text):
        return Locked(text)
    if text.startswith("Result incomplete"):
        return Stalled(text)
    if "No space left on device" in text or "Disk quota exceeded" in text:
        return NoSpace(text)
    if text.startswith("Corruption") or "checksum mismatch" in text:
        return Damaged(text)
    if text.startswith("IO error"):
        return Fatal(text)
    return error
