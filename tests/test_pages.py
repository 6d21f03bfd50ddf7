"""Which mappings go on huge pages, and that the kernel does what it is asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

from router.pages import HUGE, dense

MIB = 1024 * 1024
SCRIPT = """
import re
from pathlib import Path
from router.pages import collapse

kept = bytearray(b"x" * (32 << 20))
done = collapse()
huge = re.search(r"^AnonHugePages: +([0-9]+) kB", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE)
print(done, int(huge[1]) * 1024, kept.count(b"x"))
"""


def mapping(first: int, size: int, resident: int, *, rights: str = "rw-p", inode: int = 0, name: str = "") -> str:
    """As proc(5) has it, as far as it is looked at."""
    return (
        f"{first:x}-{first + size:x} {rights} 00000000 00:00 {inode} {' ' * 20}{name}\n"
        f"Size:           {size // 1024:8} kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n"
        f"Rss:            {resident // 1024:8} kB\nPss:            {resident // 1024:8} kB\nVmFlags: rd wr mr\n"
    )


def test_whole_huge_pages_of_what_is_in_memory() -> None:
    smaps = mapping(3 * MIB, 8 * MIB, 8 * MIB, name="[heap]") + mapping(64 * MIB, 4 * MIB, 4 * MIB)

    assert list(dense(smaps)) == [(4 * MIB, 6 * MIB), (64 * MIB, 4 * MIB)]


@pytest.mark.parametrize(
    "smaps",
    [
        mapping(4 * MIB, 8 * MIB, 5 * MIB),  # the rest of it would be filled
        mapping(3 * MIB, HUGE, HUGE),  # no whole one lies in it
        mapping(4 * MIB, 8 * MIB, 8 * MIB, rights="r-xp"),
        mapping(4 * MIB, 8 * MIB, 8 * MIB, inode=17, name="/usr/lib/libc.so.6"),
        mapping(4 * MIB, 8 * MIB, 8 * MIB, name="[stack]"),
        "",
    ],
)
def test_nothing_else(smaps: str) -> None:
    assert list(dense(smaps)) == []


def test_the_kernel_does_it() -> None:
    if not Path("/sys/kernel/mm/transparent_hugepage/enabled").exists():
        pytest.skip("this kernel has no transparent huge pages")
    result = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    done, huge, kept = map(int, result.stdout.split())

    if not done:
        pytest.skip("this kernel refuses MADV_COLLAPSE: older than Linux 6.1, or huge pages are switched off")
    assert huge >= 30 * MIB
    assert kept == 32 * MIB, "what lies there is as it was"
