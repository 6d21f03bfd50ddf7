"""Copies of a data directory: a checkpoint copied away, and one put back as a new life of its logs."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from router.names import new_epoch
from router.store.engine import DAMAGE_NOTE, Batch, Engine
from router.store.meta import Meta

_PIECE: Final = 4 * 1024 * 1024


def size(folder: Path) -> int:
    """Bytes of the files in a folder."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def copy(source: Path, target: Path, *, progress: Callable[[int], None] = lambda _: None) -> None:
    """Copy the files of a checkpoint or backup into `target`, durably, and all or none of them.

    The copy is made beside `target` and takes its name when all of it is on the disk. progress: called with the number
    of bytes copied since it was called last.

    Raises:
        FileExistsError: `target` is there and holds something.
    """
    if target.exists() and any(target.iterdir()):
        raise FileExistsError(f"{target} is not empty: choose a directory that is new, or empty it")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    for path in sorted(source.iterdir()):
        if path.is_file() and path.name not in ("LOCK", DAMAGE_NOTE):
            _copy_file(path, partial / path.name, progress)
    _sync(partial)
    if target.exists():
        target.rmdir()
    partial.rename(target)
    _sync(target.parent)


def restore(source: Path, target: Path, *, progress: Callable[[int], None] = lambda _: None) -> int:
    """Put a backup into `target` as a new life of its logs: every one gets a new epoch, so that a cursor from before,
    which may name an event that the backup does not have, is answered with `reset`. Returns the number of logs.

    Raises:
        FileExistsError: `target` is there and holds something.
        ValueError: `source` is no backup of a router.
    """
    if not (source / "CURRENT").exists():
        raise ValueError(f"{source} is no backup: it has no file named CURRENT")
    copy(source, target, progress=progress)
    engine = Engine.open(target)
    try:
        meta = Meta(engine)
        batch = Batch()
        logs = meta.logs()
        for name, row in logs.items():
            meta.put(batch, name, meta.reborn(row, new_epoch()))
        engine.write(batch)
        engine.sync()
    finally:
        engine.close()
    return len(logs)


def _copy_file(source: Path, target: Path, progress: Callable[[int], None]) -> None:
    with source.open("rb") as reader, target.open("wb") as writer:
        while piece := reader.read(_PIECE):
            writer.write(piece)
            progress(len(piece))
        writer.flush()
        os.fsync(writer.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
