"""What a group of processes takes of memory and processor."""

import os
import time
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += family(int(child))
    return found


def resident(pids: list[int]) -> int:
    """Resident bytes; a page that several processes share counts once (the kernel's Pss)."""
    size = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                size += int(line.split()[1]) * 1024
    return size


def busy(pids: list[int]) -> float:
    """Seconds of processor time used so far."""
    used = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        used += int(fields[11]) + int(fields[12])
    return used / TICK


def settle(pids: list[int], limit: float) -> bool:
    """Wait until the processes use less than a tenth of a core, `limit` seconds at most. Whether they came to rest."""
    end = time.monotonic() + limit
    quiet = 0
    while time.monotonic() < end:
        before = busy(pids)
        time.sleep(0.2)
        quiet = quiet + 1 if busy(pids) - before < 0.02 else 0
        if quiet == 2:
            return True
    return False


def steady(pids: list[int], limit: float) -> int:
    """Resident bytes once they change by less than half a percent in a second; after `limit` seconds as they are."""
    end = time.monotonic() + limit
    size = resident(pids)
    while time.monotonic() < end:
        time.sleep(1)
        size, before = resident(pids), size
        if abs(size - before) < before / 200:
            break
    return size
