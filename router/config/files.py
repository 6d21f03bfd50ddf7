"""Which files a configuration was read from, and as what: to see when one of them has changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a file's inode says (inode(7)). modified: ns. Where a name is a link, that of the file it leads to, so that
    a link which is turned to another file is a change."""

    device: int
    inode: int
    size: int
    modified: int


Stamps = Mapping[Path, Stamp | None]
"""None for a file that was not there, or could not be looked at."""


def stamp(path: Path) -> Stamp | None:
    """The stamp of a file now."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def stamps(known: Stamps) -> dict[Path, Stamp | None]:
    """The stamps of the same files now."""
    return {path: stamp(path) for path in known}
