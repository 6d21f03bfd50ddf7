"""What can go wrong with what is on the disk, told apart by the text of RocksDB's errors."""

from typing import Final

from router.errors import Fatal

_MISSING: Final = "No such file or directory"


class Locked(Exception):
    """Another process has the data directory open."""


class Stalled(Exception):
    """RocksDB wants writers to slow down; nothing was written, the same batch may be tried again in a moment."""


class NoSpace(Exception):
    """The disk is full; nothing was written. Reads go on, and so do writes once there is room."""


class Damaged(Exception):
    """What is on disk is not what was written: a checksum or the structure of a file does not hold."""


def classified(error: Exception) -> Exception:
    """RocksDB's errors are bare `Exception`s with the status as text: told apart here and nowhere else."""
    text = str(error)
    if "lock file" in text or ("LOCK" in text and "Resource temporarily unavailable" in text):
        return Locked(text)
    if text.startswith("Result incomplete"):
        return Stalled(text)
    if "No space left on device" in text or "Disk quota exceeded" in text:
        return NoSpace(text)
    if text.startswith("Corruption") or "checksum mismatch" in text or (_MISSING in text and ".sst" in text):
        return Damaged(text)
    if text.startswith("IO error") or "(os error " in text:
        return Fatal(text)
    return error
