"""Reads RocksDB's write-ahead log for damage, and changes nothing.

Needed where RocksDB cannot tell: it checks its tables before the log, so with a damaged table it refuses to open before
it has looked at the log, and when it is told to open all the same it drops damaged log records in silence (measured).
The format is fixed: blocks of 32 KiB, in each records of checksum, length, type and payload
(https://github.com/facebook/rocksdb/wiki/Write-Ahead-Log-File-Format).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import google_crc32c

BLOCK: Final = 32 * 1024
_HEADER: Final = 7
_RECYCLABLE_HEADER: Final = 11
_RECYCLABLE: Final = range(5, 9)


@dataclass(frozen=True, slots=True)
class WalDamage:
    """Bytes `first` to `last` of `file` are not what was written."""

    file: str
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.file}, bytes {self.first} to {self.last}"


def faults(data: bytes, file: str) -> list[WalDamage]:
    """Damage in a log. A torn tail is none: what it held was never acknowledged.

    A damaged record makes the rest of its block unreadable, since its length cannot be trusted.
    """
    found: list[WalDamage] = []
    for start in range(0, len(data), BLOCK):
        end = min(start + BLOCK, len(data))
        broken = _walk(data, start, end)
        if broken is None or _torn(data, broken, start + BLOCK):
            continue
        if found and found[-1].last == start - 1 and broken == start:
            found[-1] = WalDamage(file, found[-1].first, end - 1)
        else:
            found.append(WalDamage(file, broken, end - 1))
    return found


def check(folder: Path) -> list[WalDamage]:
    """Damage in the logs of a data directory."""
    return [damage for path in sorted(folder.glob("*.log")) for damage in faults(path.read_bytes(), path.name)]


def _walk(data: bytes, start: int, end: int) -> int | None:
    """Where in the block the first record is that does not hold; None where all do."""
    place = start
    while place + _HEADER <= end:
        size = _record(data, place, end)
        if size is None:
            return None if not any(data[place:end]) else place  # zeros: allocated ahead, or padding
        place += size
    return None


def _record(data: bytes, place: int, end: int) -> int | None:
    """Bytes of the record at `place`, header and all; None where its checksum or its length does not hold."""
    length = int.from_bytes(data[place + 4 : place + 6], "little")
    kind = data[place + 6]
    header = _RECYCLABLE_HEADER if kind in _RECYCLABLE else _HEADER
    if kind == 0 or place + header + length > end:
        return None
    value = google_crc32c.value(data[place + 6 : place + header + length])
    masked = (((value >> 15) | (value << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    if masked != int.from_bytes(data[place : place + 4], "little"):
        return None
    return header + length


def _torn(data: bytes, broken: int, block_end: int) -> bool:
    """Whether the writing ended in this record: it goes on beyond the end of the file, and nothing follows it."""
    if block_end < len(data):
        return False
    length = int.from_bytes(data[broken + 4 : broken + 6], "little")
    header = _RECYCLABLE_HEADER if data[broken + 6] in _RECYCLABLE else _HEADER
    return len(data) < broken + header + length <= block_end and not _resumes(data, broken)


def _resumes(data: bytes, broken: int) -> bool:
    """Whether a good record stands behind the broken one in the same block: then it is no torn tail.

    Its place is unknown where the length is damaged, so every place is tried: once, for at most a block.
    """
    end = min(broken - broken % BLOCK + BLOCK, len(data))
    return any(
        data[place + 6] in range(1, 9) and _record(data, place, end) is not None
        for place in range(broken + 1, end - _HEADER)
    )
