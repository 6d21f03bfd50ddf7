"""Whether a slow disk slows anything down but the answers that wait for it.

    .venv/bin/python -m bench.slow_disk [--seconds 4]

strace delays every fdatasync of a router under posting load by 0, 1, 5 and 50 ms. Meanwhile one connection asks for
`/health/live` again and again, which nothing but a held-up event loop delays. All delays are measured in one run, with
the same tracing.
"""

import argparse
import http.client
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from bench.ingest import events, generator
from tests.crash.inject import obstacle, tamper
from tests.process import RouterProcess

DELAYS = (0, 1, 5, 50)  # milliseconds
CONNECTIONS = 8  # so few that the loop has time to spare, and waiting is seen for what it is


def probe(port: int, seconds: float) -> list[float]:
    """Milliseconds that each answer took."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        connection.request("GET", "/health/live")
        connection.getresponse().read()
        taken.append((time.perf_counter() - begin) * 1000)
        time.sleep(0.005)
    connection.close()
    return taken


def measure(folder: Path, binary: Path, delay: int, seconds: float) -> tuple[str, list[float]]:
    """The generator's line and the probe's times with every fdatasync delayed by `delay` ms."""
    process = RouterProcess(folder / str(delay) / "data")
    process.data.parent.mkdir()
    body = folder / "body"
    body.write_bytes(events(1))
    tamper(process, f"fdatasync:delay_enter={delay * 1000}")
    process.start()
    try:
        command = [str(binary), str(process.port), "/bulk", str(CONNECTIONS), str(seconds), str(body)]
        command += ["application/json", "Authorization: sdk-demo\r\n"]
        found: list[float] = []
        thread = threading.Thread(target=lambda: found.extend(probe(process.port, seconds - 0.5)))
        thread.start()
        line = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        thread.join()
        return line, found
    finally:
        process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4, help="length of each turn")
    options = parser.parse_args()
    if reason := obstacle():
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory() as folder:
        binary = generator(Path(folder))
        for delay in DELAYS:
            line, taken = measure(Path(folder), binary, delay, options.seconds)
            ranks = statistics.quantiles(taken, n=100)
            posts = line.split("req/s=")[1].split()[0]
            others = f"other answers p50 {ranks[49]:.1f} ms, p99 {ranks[98]:.1f} ms"
            print(f"fdatasync + {delay:2} ms: {posts:>6} posts/s; {others}")


if __name__ == "__main__":
    main()
