"""A router under strace, which makes one of its system calls fail, wait, or kill it."""

import re
import shutil
import subprocess
import time
from functools import lru_cache
from pathlib import Path

import pytest

from tests.process import RouterProcess


@lru_cache
def obstacle() -> str | None:
    """Why calls cannot be tampered with here; None where they can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    command = ["strace", "-qq", "-o", "/dev/null", "-e", "inject=getcwd:error=EIO", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"strace may not trace here: {done.stderr.strip()}" if done.returncode else None


def require_strace() -> None:
    """Skip with the reason where strace cannot do its work."""
    if reason := obstacle():
        pytest.skip(reason)


def tamper(process: RouterProcess, rule: str) -> Path:
    """Let strace tamper with the system calls of the next incarnation, as `rule` says in its own words
    (`fdatasync:error=EIO:when=7`). Returns the file that it writes what it did to."""
    trace = process.data.with_suffix(".strace")
    trace.unlink(missing_ok=True)
    call = rule.partition(":")[0]
    # -D: the router stays this process's child, and a signal reaches it and not strace.
    process.prefix = ["strace", "-D", "-f", "-q", "-o", str(trace)]
    process.prefix += ["-e", f"trace={call}", "-e", f"inject={rule}"]
    return trace


def fired(process: RouterProcess, trace: Path) -> bool:
    """Whether a call was tampered with, of a process that has ended."""
    end = re.compile(rf"^{process.pid} +\+\+\+ (exited|killed)", re.MULTILINE)
    limit = time.monotonic() + 10
    while not (trace.exists() and end.search(trace.read_text(errors="replace"))):
        assert time.monotonic() < limit, "strace has not written down the end"
        time.sleep(0.01)
    text = trace.read_text(errors="replace")
    return "INJECTED" in text or "killed by SIGKILL" in text
