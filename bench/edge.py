"""How small an edge is: resident memory of an idle router, and the time to its start with a million events stored.

    python -m bench.edge [--events N]

A router of one environment with one forward to another router that is away, as an edge has it. Memory is what
`/proc/PID/status` says; start is from exec until `/health/ready` answers 200. The limits are the project's goals: 80 MB
and 1 s.
"""

import argparse
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from router.clocks import SystemClock
from router.names import EnvironmentName
from router.records import Event, pack_body
from router.store.engine import Batch, Engine, Stalled
from router.store.log import Log
from router.store.meta import Meta

MEMORY = 80.0  # MB
START = 1.0  # seconds
CONFIG = """
[server]
bind = ["127.0.0.1:{port}"]
[storage]
path = "{data}"
[[environment]]
project = "shop"
key = "production"
sdk_keys = ["sdk-bench"]
[[environment.forward]]
to = "router"
url = "http://127.0.0.1:1"
token = "api-bench"
"""
RAW = (
    b'{"kind":"feature","creationDate":1700000000000,"key":"checkout","version":7,"variation":1,"value":"blue",'
    b'"default":"red","context":{"kind":"user","key":"user-123456","plan":"pro","country":"NZ"}}'
)


def fill(data: Path, events: int) -> None:
    """A log of `events` events in entries of 50."""
    engine = Engine.open(data)
    name = EnvironmentName("shop", "production")
    log = Log(name, engine, Meta(engine).log(name))
    stamp = SystemClock().now()
    made = [Event("evaluation", stamp, "feature", ("checkout",), ("user:user-123456",), {"variation": 1}, RAW)] * 50
    body = pack_body("launchdarkly", "bulk", {"schema": 4, "sdk": "GoClient/7.0.0"}, made)
    for _ in range(events // 5_000):
        batch = Batch()
        for _ in range(100):
            log.stage(batch, stamp, body, 50)
        while True:
            try:
                engine.write(batch)
                break
            except Stalled:
                time.sleep(0.05)
        log.advance(stamp)
    engine.sync()
    engine.close()


def memory(pid: int) -> float:
    """Resident memory in MB (10**6 bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ValueError(f"process {pid} has no resident memory")


def started(port: int, process: "subprocess.Popen[bytes]") -> float:
    """Seconds until it is ready."""
    begin = time.perf_counter()
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5):
                return time.perf_counter() - begin
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.005)
    raise AssertionError(f"the router ended with status {process.returncode}")


def measure(events: int, port: int, settle: float) -> tuple[float, float]:
    """Seconds to the start, and MB when idle, with `events` events stored."""
    with tempfile.TemporaryDirectory(prefix="bench-edge-") as directory:
        path = Path(directory)
        if events:
            fill(path / "data", events)
        config = path / "router.toml"
        config.write_text(CONFIG.format(port=port, data=path / "data"))
        process = subprocess.Popen(
            [sys.executable, "-m", "router", "serve", "--config", str(config)], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            seconds = started(port, process)
            time.sleep(settle)
            return seconds, memory(process.pid)
        finally:
            process.terminate()
            process.wait(30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--port", type=int, default=18_211)
    parser.add_argument("--settle", type=float, default=3.0, help="seconds before memory is read")
    options = parser.parse_args()
    failed = False
    for events in (0, options.events):
        seconds, size = measure(events, options.port, options.settle)
        print(f"{events:>9} events stored: ready after {seconds:.2f} s, {size:.1f} MB resident when idle")
        failed |= seconds > START or (size > MEMORY and not events)
    print(f"goals: ready within {START:g} s, idle below {MEMORY:g} MB: {'missed' if failed else 'met'}")
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
