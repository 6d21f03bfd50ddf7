"""A well-behaved client beside an attack: what it gets, and how fast."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection

from tests.abuse.attacks import EVENT, request
from tests.process import RouterProcess

CONFIGURATION = """
[server]
bind = ["127.0.0.1:0"]
head_timeout = "1s"
body_timeout = "1500ms"
[[environment]]
project = "default"
key = "production"
sdk_keys = ["sdk-demo"]
mobile_keys = ["mob-demo"]
[[token]]
name = "reader"
token = "api-demo"
scopes = ["stream"]
"""

CALM = 1.0  # seconds without the attack before it, and after it
ATTACKED = 3.0
LONG = {"idle_connections": 60.0}
"""Attacks that end by themselves, and the seconds that they may take."""
BETWEEN = 0.02  # seconds between two posts of the client
FLOOR = 0.06  # seconds: a p99 below it is good whatever the calm one was; this machine is shared with other tests
RATIO = 3.0


@dataclass(frozen=True, slots=True)
class Watch:
    """statuses: of the client's posts. calm, attacked: its p99 in seconds. counts: what the attackers got."""

    statuses: Counter[int]
    calm: float
    attacked: float
    counts: Counter[str]

    def check(self, *expected: str) -> None:
        """What must hold during every attack; `expected` is all that its attackers may get."""
        assert set(self.statuses) == {202}, self
        assert set(+self.counts) == set(expected), self
        assert self.good, self

    @property
    def good(self) -> bool:
        return self.attacked <= max(RATIO * self.calm, FLOOR)


def watch(process: RouterProcess, attack: str) -> Watch:
    """Measure a calm while, one under `attack`, a name in `attacks.ATTACKS`, and a calm one again.

    Other tests have this machine too: a slow measurement is made again, and counts when it is slow three times.
    """
    found = _once(process, attack)
    for _ in range(2):
        if found.good:
            break
        found = _once(process, attack)
    return found


def _once(process: RouterProcess, attack: str) -> Watch:
    statuses: Counter[int] = Counter()
    posts(process.port, lasting(0.3), statuses)
    calm = posts(process.port, lasting(CALM), statuses)
    with attacker(process, attack, LONG.get(attack, ATTACKED + 1)) as running:
        going = (lambda: running.poll() is None) if attack in LONG else lasting(ATTACKED)
        attacked = posts(process.port, going, statuses)
        counts = outcome(running)
    calm += posts(process.port, lasting(CALM), statuses)
    return Watch(statuses, p99(calm), p99(attacked), counts)


@contextmanager
def attacker(process: RouterProcess, attack: str, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """A process that attacks; entered when it has begun."""
    command = [sys.executable, "-m", "tests.abuse.attacks", attack, str(process.port), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "begun\n"
        yield running


def outcome(running: subprocess.Popen[str]) -> Counter[str]:
    """What an attacker got, when it is done."""
    output, _ = running.communicate(timeout=60)
    return Counter(json.loads(output))


def lasting(seconds: float) -> Callable[[], bool]:
    """Whether so long a time has not passed yet."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() < until


def posts(port: int, going: Callable[[], bool], statuses: Counter[int]) -> list[float]:
    """Post one event, and then one after the other while it is `going`; returns how long each took."""
    body = request(b"[" + EVENT + b"]")
    times: list[float] = []
    with create_connection(("127.0.0.1", port), timeout=20) as connection:
        while not times or going():
            begun = time.monotonic()
            connection.sendall(body)
            answer = b""
            while b"\r\n\r\n" not in answer:
                piece = connection.recv(65536)
                assert piece, "the router cut the connection of a good client"
                answer += piece
            times.append(time.monotonic() - begun)
            statuses[int(answer[9:12])] += 1
            time.sleep(BETWEEN)
    return times


def p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]


def memory(pid: int) -> int:
    """Resident kB of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError(f"no VmRSS of {pid}")
