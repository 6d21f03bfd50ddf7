"""npm packages for tests, installed once per package.json into a cache folder outside the checkout."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

INSTALL_TIMEOUT = 50.0  # seconds; twice that, for a worker that waited in vain, is within the time-out of pytest
_COMMAND = ("install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


class Missing(Exception):
    """Something these tests need and this machine lacks; its text says what."""


def installed(package: Path) -> Path:
    """The `node_modules` folder with what the file `package` lists, installed with npm when it is not there yet.

    Two test workers may ask at once: one installs, the other waits for it. No lock file is written.

    Raises:
        Missing: npm is not installed, or could not install the packages.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise Missing("node and npm are not installed")
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = caches / "flag-event-router" / f"npm-{hashlib.sha256(package.read_bytes()).hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "done"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.copy(package, folder / "package.json")
            _install(npm, folder)
            done.touch()
    return folder / "node_modules"


def _install(npm: str, folder: Path) -> None:
    try:
        ended = subprocess.run(
            [npm, *_COMMAND], cwd=folder, capture_output=True, text=True, timeout=INSTALL_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"npm did not install the packages within {INSTALL_TIMEOUT} s") from None
    if ended.returncode:
        raise Missing(f"npm could not install the packages: {ended.stderr.strip()[-500:]}")
