"""Streams: idle memory, a herd that reconnects, replay, and what a reader that does not read costs the others.

    .venv/bin/python -m bench.streams [idle] [replay] [isolation] [--fast]

Readers are C (`../shared/bench/sse.c`), so that they take as little of the cores as they can; ratios are within one
run.
"""

import argparse
import http.client
import json
import re
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.ingest import events, generator, load
from tests.process import PLAIN, RouterProcess, router

SOURCE = Path(__file__).parents[2] / "shared" / "bench" / "sse.c"
PATH = "/events?token=api-demo"


@contextmanager
def served(folder: Path, *, fast: bool) -> Iterator[RouterProcess]:
    """A router with the fast lane or without."""
    if fast:
        with router() as process:
            yield process
        return
    config = folder / "plain.toml"
    config.write_text(PLAIN)
    with tempfile.TemporaryDirectory() as data, router(Path(data) / "data", config) as process:
        yield process


def reader(folder: Path) -> Path:
    """The compiled reader."""
    binary = folder / "sse"
    subprocess.run(["cc", "-O2", "-w", "-o", str(binary), str(SOURCE)], check=True)
    return binary


def resident(pid: int) -> int:
    """Resident bytes of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"process {pid} is gone")


def connected(
    binary: Path, process: RouterProcess, count: int, seconds: float, path: str = PATH
) -> subprocess.Popen[str]:
    """Readers, once all of them are connected."""
    command = [str(binary), str(process.port), PATH, str(count), str(seconds)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    line = running.stderr.readline()
    if line.split() != ["connected", str(count)]:
        raise SystemExit(f"only {line.strip()} of {count}")
    return running


def open_streams(process: RouterProcess) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=30)
    connection.request("GET", "/health")
    found = json.loads(connection.getresponse().read())
    connection.close()
    return sum(one.get("waiting", 0) for one in found["environments"])


def idle(folder: Path, count: int, *, fast: bool) -> None:
    """Memory of idle streams, and all of them coming back at once."""
    binary = reader(folder)
    with served(folder, fast=fast) as process:
        warm = connected(binary, process, 50, 1)
        warm.communicate()
        before = resident(process.pid)
        begin = time.perf_counter()
        first = connected(binary, process, count, 8)
        out, _ = first.communicate()
        took = time.perf_counter() - begin
        print(f"{count} idle streams: {out.split()[1]}, held for 8 s, {took:.1f} s in all")
        first = connected(binary, process, count, 12)
        time.sleep(6)
        per = (resident(process.pid) - before) / count
        print(f"memory per idle stream: {per / 1024:.1f} KB")
        begin = time.perf_counter()
        herd = connected(binary, process, count, 10)
        first.kill()
        first.communicate()
        body = folder / "one"
        body.write_bytes(events(1))
        time.sleep(5)
        post_one(process)
        out, _ = herd.communicate()
        print(f"herd of {count} while as many were open: {out.strip()}")


def post_one(process: RouterProcess) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=30)
    connection.request("POST", "/bulk", events(1), {"Authorization": "sdk-demo"})
    if connection.getresponse().status != 202:
        raise SystemExit("a post was refused")
    connection.close()


def fill(folder: Path, process: RouterProcess, count: int) -> int:
    """Store about `count` events; how many there are."""
    binary = generator(folder)
    body = folder / "body"
    body.write_bytes(events(500))
    stored = 0
    while stored < count:
        _, line = load(binary, process.port, body, connections=16, seconds=2)
        stored += int(line.split("ok=")[1].split()[0]) * 500
    return stored


def replay(folder: Path, count: int, rounds: int, *, fast: bool) -> None:
    """All stored events to one reader."""
    binary = reader(folder)
    with served(folder, fast=fast) as process:
        stored = fill(folder, process, count)
        rates = []
        for _ in range(rounds):
            run = subprocess.run(
                [str(binary), str(process.port), f"{PATH}&from=earliest&until=now", "1", "6"],
                capture_output=True,
                text=True,
                check=True,
            )
            found = re.search(r"events=(\d+) .*rate=(\d+)/s", run.stdout)
            if found is None or int(found[1]) < stored * 0.99:
                raise SystemExit(f"not all of {stored} events came: {run.stdout}")
            rates.append(int(found[2]))
        print(
            f"replay of {stored} events: {statistics.median(rates):,.0f} events/s "
            f"(spread {min(rates):,} to {max(rates):,})"
        )


def stamped(process: RouterProcess, seconds: float, rate: float) -> None:
    """Post single events that carry the time, so many a second."""
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=30)
    end = time.monotonic() + seconds
    due = time.monotonic()
    while time.monotonic() < end:
        event = {"kind": "custom", "key": f"t={time.monotonic():.6f} ", "creationDate": 1, "contextKeys": {"user": "u"}}
        connection.request("POST", "/bulk", json.dumps([event]), {"Authorization": "sdk-demo"})
        connection.getresponse().read()
        due += 1 / rate
        time.sleep(max(0, due - time.monotonic()))
    connection.close()


def deliveries(binary: Path, process: RouterProcess, readers: int) -> tuple[float, str]:
    """p99 of delivery in ms to so many readers, and the reader's own line."""
    running = connected(binary, process, readers, 7)
    time.sleep(1)
    stamped(process, 5, 50)
    out, _ = running.communicate()
    found = re.search(r"p99=([\d.]+)ms", out)
    if found is None:
        raise SystemExit(f"nothing was delivered: {out}")
    return float(found[1]), out.strip()


def isolation(folder: Path, readers: int, *, fast: bool) -> None:
    """One reader that never reads, beside many that do."""
    binary = reader(folder)
    with served(folder, fast=fast) as process:
        alone, beside = [], []
        for _ in range(3):
            p99, line = deliveries(binary, process, readers)
            alone.append(p99)
            print(f"without: {line}")
            stuck = socket.create_connection(("127.0.0.1", process.port))
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stuck.sendall(f"GET {PATH}&from=earliest HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            time.sleep(0.5)
            p99, line = deliveries(binary, process, readers)
            beside.append(p99)
            print(f"with:    {line}")
            stuck.close()
        ratio = statistics.median(beside) / statistics.median(alone)
        print(f"p99 of {readers} readers beside one that does not read: {ratio:.2f} times that without")
        stuck = socket.create_connection(("127.0.0.1", process.port))
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.sendall(f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        fill(folder, process, 100_000)
        before = resident(process.pid)
        stored = fill(folder, process, 1_000_000)
        after = resident(process.pid)
        print(f"memory over {stored} events: {before >> 20} MB before, {after >> 20} MB after")
        begin = time.perf_counter()
        status = process.stop()
        print(f"SIGTERM: exit {status} after {time.perf_counter() - begin:.1f} s with that reader connected")
        stuck.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=["idle", "replay", "isolation", []], help="all by default")
    parser.add_argument("--fast", action="store_true", help="through the fast lane instead of the plain route")
    parser.add_argument("--streams", type=int, default=5000)
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--events", type=int, default=1_000_000)
    options = parser.parse_args()
    parts = options.parts or ["idle", "replay", "isolation"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "idle" in parts:
            idle(folder, options.streams, fast=options.fast)
        if "replay" in parts:
            replay(folder, options.events, 5, fast=options.fast)
        if "isolation" in parts:
            isolation(folder, options.readers, fast=options.fast)


if __name__ == "__main__":
    main()
