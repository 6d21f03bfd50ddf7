"""RocksDB, and the only importer of rocksdict.

rocksdict holds the GIL in writes, reads and checkpoints and releases it in `flush_wal` (measured: with a 20 ms fsync a
synced write freezes every thread for 20 ms). So a commit is `write` without sync, inline, then `sync` in a thread.
Data is visible before it is durable: readers must stop at a watermark of their own.
"""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rocksdict import (  # noqa: TID251 - the one place that may
    AccessType,
    BlockBasedOptions,
    Cache,
    Checkpoint,
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
from router.store import wal
from router.store.faults import Damaged, Locked, NoSpace, Stalled, classified

__all__ = ["DEFAULT_FAMILY", "Batch", "Damaged", "Engine", "EngineStatistics", "Family", "Locked", "NoSpace", "Stalled"]

DEFAULT_FAMILY: Final = "default"
_MIB: Final = 1024 * 1024
CACHE: Final = 64 * _MIB  # bytes of blocks read, for all families together
# Names a table that RocksDB found damaged while it ran, and so stopped all writes: the next start works around it.
DAMAGE_NOTE: Final = "DAMAGED"
_CHECKPOINTS: Final = "checkpoints"


class Family:
    """One column family: an ordered map of bytes to bytes. Reads hold the GIL; keep each short.

    handle: what batches name it by; None once it is closed."""

    __slots__ = ("_map", "handle", "name")

    def __init__(self, name: str, map_: Rdict, handle: ColumnFamily) -> None:
        self.name = name
        self._map: Rdict | None = map_
        self.handle: ColumnFamily | None = handle

    @property
    def map(self) -> Rdict:
        if self._map is None:
            raise ValueError(f"column family {self.name} is closed")
        return self._map

    @property
    def opened(self) -> ColumnFamily:
        if self.handle is None:
            raise ValueError(f"column family {self.name} is closed")
        return self.handle

    def get(self, key: bytes) -> bytes | None:
        """The value at `key`, or None."""
        try:
            value: bytes | None = self.map.get(key)
        except Exception as error:
            raise classified(error) from error
        return value

    def floor(self, key: bytes) -> tuple[bytes, bytes] | None:
        """The last item at or before `key`."""
        try:
            cursor = self.map.iter()
            cursor.seek_for_prev(key)
        except Exception as error:
            raise classified(error) from error
        return _item(cursor)

    def last(self) -> tuple[bytes, bytes] | None:
        """The item with the greatest key."""
        try:
            cursor = self.map.iter()
            cursor.seek_to_last()
        except Exception as error:
            raise classified(error) from error
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
        try:
            cursor = self.map.iter(options)
            cursor.seek(start)
        except Exception as error:
            raise classified(error) from error
        while cursor.valid():
            yield cursor.key(), cursor.value()
            cursor.next()
        _item(cursor)  # whether that is the end, or damage

    def compact(self, start: bytes, end: bytes) -> None:
        """Give the disk back what was deleted between `start` and `end`. Blocks, GIL released; call it in a thread."""
        try:
            self.map.flush(True)
            self.map.compact_range(start, end)
        except Exception as error:
            raise classified(error) from error

    def tables(self) -> str:
        """RocksDB's listing of the family's files, a number and a colon before each."""
        listing: str | None = self.map.property_value("rocksdb.sstables")
        return listing or ""

    def close(self) -> None:
        """Let go of RocksDB's handles; the directory's lock is held until all of them are gone."""
        self.handle = None
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

    def __init__(
        self, path: Path, root: Rdict, families: dict[str, Family], cache: Cache, damage: str | None, *, writes: bool
    ) -> None:
        self._cache = cache
        self._may_write = writes
        self._failed = False
        self.path = path
        self.damage = damage
        self._root: Rdict | None = root
        self._families = families
        self._options = WriteOptions()
        self._options.no_slowdown = True
        self._writes = 0
        self._syncs = 0
        self._bytes = 0

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> "Engine":
        """Open `path`, making it where it is missing. Replays the write-ahead log, which may take seconds.

        With damaged tables it opens all the same, `damage` says what RocksDB said, and reading what is in them raises
        `Damaged`: the log families that are whole go on. A write-ahead log that is damaged before its end is refused.

        read_only: change nothing, and take no lock.

        Raises:
            Locked: another process has it open.
            Damaged: the write-ahead log is broken before its end.
            ValueError: the directory holds a database that is not this router's.
        """
        if read_only and not (path / "CURRENT").exists():
            raise ValueError(f"{path} holds no data of a router")
        path.mkdir(parents=True, exist_ok=True)
        _check_raw_mode(path)
        if not read_only:
            shutil.rmtree(path / _CHECKPOINTS, ignore_errors=True)
        note = path / DAMAGE_NOTE
        if note.exists():
            return cls._lenient(path, note.read_text().strip(), read_only=read_only)
        try:
            return cls._open(path, read_only=read_only, strict=True)
        except Damaged as error:
            return cls._lenient(path, str(error), read_only=read_only)

    @classmethod
    def _lenient(cls, path: Path, damage: str, *, read_only: bool) -> "Engine":
        """Open in spite of damaged tables. RocksDB then drops damaged log records in silence, so those are checked."""
        if broken := wal.check(path):
            raise Damaged(
                f"the write-ahead log in {path} is damaged ({', '.join(map(str, broken))}): acknowledged events are "
                "lost; restore a backup with `router restore`, or see what is left with `router fsck`"
            )
        return cls._open(path, read_only=read_only, strict=False, damage=damage)

    @classmethod
    def _open(cls, path: Path, *, read_only: bool, strict: bool, damage: str | None = None) -> "Engine":
        cache = Cache(CACHE)
        options = _database_options(cache)
        options.set_paranoid_checks(strict)
        access = AccessType.read_only() if read_only else AccessType.read_write()
        try:
            names = Rdict.list_cf(str(path)) if (path / "CURRENT").exists() else [DEFAULT_FAMILY]
            families = {name: _family_options(cache) for name in names}
            root = Rdict(str(path), options, column_families=families, access_type=access)
            found = {name: _family(root, name) for name in names}
            opened = cls(path, root, found, cache, damage, writes=not read_only)
        except Exception as error:
            raise classified(error) from error
        if damage is not None and not read_only:
            opened._shelter(damage)
        return opened

    def _shelter(self, damage: str) -> None:
        """Keep RocksDB from compacting the families whose tables `damage` names: it would fail for ever."""
        for family in self._families.values():
            if any(f"{number}:" in family.tables() for number in _tables_in(damage)):
                family.map.set_options({"disable_auto_compactions": "true"})

    def _note_damage(self, damage: str) -> None:
        """Leave word for the next start that RocksDB stopped writing because of `damage`."""
        (self.path / DAMAGE_NOTE).write_text(damage)

    def checkpoint(self, name: str) -> Path:
        """A copy of everything written so far, as hard links below the data directory. Blocks; call it in a thread.

        Flushes first, with the GIL released, so that the rest, which holds it, is short.
        """
        folder = self.path / _CHECKPOINTS
        folder.mkdir(exist_ok=True)
        try:
            for family in list(self._families.values()):
                family.map.flush(True)
            Checkpoint(self._database).create_checkpoint(str(folder / name))
        except Exception as error:
            raise classified(error) from error
        return folder / name

    def discard_checkpoint(self, name: str) -> None:
        """Delete a checkpoint; nothing when there is none of that name."""
        shutil.rmtree(self.path / _CHECKPOINTS / name, ignore_errors=True)

    @property
    def families(self) -> tuple[str, ...]:
        return tuple(self._families)

    def family(self, name: str) -> Family:
        """The column family `name`, made if it is missing (9 ms: not on a request's path).

        Raises:
            KeyError: it is missing and the engine was opened to read only.
        """
        found = self._families.get(name)
        if found is None:
            if not self._may_write:
                raise KeyError(f"{self.path} has no column family {name}")
            try:
                self._database.create_column_family(name, _family_options(self._cache))
                found = self._families[name] = _family(self._database, name)
            except Exception as error:
                raise classified(error) from error
        return found

    def drop(self, name: str) -> None:
        """Delete a column family and all it holds, whatever its size, in about 17 ms."""
        family = self._families.pop(name)
        family.handle = None  # closing a dropped family raises, so only the handle is let go
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
            changes.put(key, value, family.handle or family.opened)
            size += len(value)
        for family, key in batch.deletes:
            changes.delete(key, family.opened)
        for family, start, end in batch.range_deletes:
            changes.delete_range(start, end, family.opened)
        try:
            self._database.write(changes, self._options)
        except Exception as error:
            found = classified(error)
            if isinstance(found, Damaged):
                self._note_damage(str(found))
                self._failed = True
                raise Fatal(
                    f"a table in {self.path} is damaged and the database has stopped all writes; started again, the "
                    f"router sets that environment aside and serves the others: {found}"
                ) from error
            self._failed = isinstance(found, Fatal)
            raise found from error
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
            self._failed = True
            raise Fatal(f"syncing the write-ahead log in {self.path} failed: {error}") from error
        self._syncs += 1

    def gauge(self, name: str, family: str = DEFAULT_FAMILY) -> int | None:
        """A RocksDB integer property such as `rocksdb.live-sst-files-size`."""
        value: int | None = self._families[family].map.property_int_value(name)
        return value

    def close(self) -> None:
        """Flush, sync and let go of the directory. May take seconds; call it in a thread.

        After a fatal error nothing is flushed or synced any more: it would fail again, or hide what has failed.
        """
        if self._failed:
            self._families.clear()
            self._root = None
            return
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
        raise classified(error) from error
    return None


def _database_options(cache: Cache) -> Options:
    options = _family_options(cache)
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


def _family_options(cache: Cache) -> Options:
    options = Options(raw_mode=True)
    # Small memtables: switching a full one under load showed hiccups of 18 to 35 ms at the default size.
    options.set_write_buffer_size(16 * _MIB)
    # By default a mebibyte: of 200 families that is over the limit of all, and every write flushed a tiny table.
    options.set_arena_block_size(64 * 1024)
    options.set_compression_type(DBCompressionType.lz4())
    table = BlockBasedOptions()
    table.set_block_cache(cache)
    table.set_bloom_filter(10, False)
    options.set_block_based_table_factory(table)
    return options


def _check_raw_mode(path: Path) -> None:
    """Refuse a directory whose rocksdict settings were rewritten by a tool that opened it with defaults."""
    settings = path / "rocksdict-config.json"
    if not settings.exists():
        return
    try:
        found = json.loads(settings.read_text())
    except ValueError:
        return  # it is written anew at every opening, byte by byte: a crash then leaves half of it
    if not found.get("raw_mode", False):
        raise ValueError(
            f"{settings} says raw_mode=false: another tool opened this directory with its defaults; "
            "set raw_mode to true in that file and start again"
        )


def _tables_in(text: str) -> list[str]:
    """Numbers of the table files that an error names, as RocksDB lists them."""
    return [name.lstrip("0") for name in re.findall(r"(\d+)\.sst", text)]
