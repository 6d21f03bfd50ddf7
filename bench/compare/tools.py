"""Where the peers' binaries are."""

import shutil
from pathlib import Path


class Tools:
    """Finds binaries: in `folder` (its `bin`, `usr/bin`, `usr/sbin`), then in PATH.

    Args:
        folder: where peers were built or unpacked; None for PATH alone.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    def find(self, name: str) -> Path | None:
        """A binary, or None. Symbolic links are kept: some binaries go by the name that they are called by."""
        places = [self.folder / part for part in ("bin", "usr/bin", "usr/sbin")] if self.folder else []
        for place in (*places, Path("/usr/sbin")):
            if (place / name).is_file():
                return (place / name).absolute()
        found = shutil.which(name)
        return Path(found) if found else None

    def module(self, name: str) -> Path | None:
        """A module of nginx, or None."""
        for root in (self.folder, Path("/")):
            if root and (root / "usr/lib/nginx/modules" / name).is_file():
                return (root / "usr/lib/nginx/modules" / name).absolute()
        return None

    def environ(self) -> dict[str, str]:
        """What a binary unpacked into `folder` needs to find its libraries."""
        found = sorted(self.folder.glob("usr/lib/*-linux-gnu")) if self.folder else []
        return {"LD_LIBRARY_PATH": ":".join(str(path.absolute()) for path in found)} if found else {}
