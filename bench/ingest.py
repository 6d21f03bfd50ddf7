"""How much of an empty handler's speed is left when posts are made durable.

    .venv/bin/python -m bench.ingest [--seconds 5] [--rounds 5]

64 keep-alive connections post batches of 50 events to (a) the router's Quart-Trio route, (b) an empty Quart-Trio
handler under the same hypercorn settings, by turns in one run, so that their ratio means something on any machine. The
load generator is C (`../shared/bench/post.c`), so that it takes as little of the two cores as it can. The group commit
is shown by counting: syncs, seen by strace where it is installed, against posts.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.process import PLAIN, router

SOURCE = Path(__file__).parents[2] / "shared" / "bench" / "post.c"
HEADERS = "Authorization: sdk-demo\r\nX-LaunchDarkly-Event-Schema: 4\r\n"  # as the SDKs of today send
EVENT = {
    "kind": "feature",
    "creationDate": 1767225600123,
    "key": "checkout-v2",
    "version": 17,
    "variation": 1,
    "value": "blue",
    "default": "red",
    "context": {"kind": "user", "key": "user-0000", "plan": "pro"},
    "reason": {"kind": "RULE_MATCH", "ruleIndex": 0, "ruleId": "r-42"},
}
EMPTY = """
import sys, trio
from hypercorn.config import Config
from hypercorn.trio import serve
from quart import request
from quart_trio import QuartTrio
app = QuartTrio("empty")

@app.post("/bulk")
async def bulk():
    await request.get_data()
    return b"", 202

config = Config()
config.bind = ["127.0.0.1:0"]
config.accesslog = config.errorlog = None
config.keep_alive_max_requests = 10**9
config.backlog = 1024

async def main():
    async with trio.open_nursery() as nursery:
        binds = await nursery.start(lambda task_status: serve(app, config, task_status=task_status))
        print(binds[0].rsplit(":", 1)[1], flush=True)

trio.run(main)
"""


def generator(folder: Path) -> Path:
    """The compiled load generator."""
    binary = folder / "post"
    subprocess.run(["cc", "-O2", "-pthread", "-w", "-o", str(binary), str(SOURCE)], check=True)
    return binary


def events(count: int) -> bytes:
    """A body of `count` events of about 230 bytes."""
    return json.dumps(
        [EVENT | {"context": {"kind": "user", "key": f"user-{n:04}", "plan": "pro"}} for n in range(count)],
        separators=(",", ":"),
    ).encode()


def load(binary: Path, port: int, body: Path, *, connections: int, seconds: float) -> tuple[float, str]:
    """Posts per second, and the generator's own line."""
    command = [str(binary), str(port), "/bulk", str(connections), str(seconds), str(body), "application/json"]
    line = subprocess.run([*command, HEADERS], capture_output=True, text=True, check=True).stdout.strip()
    if "bad=0" not in line:
        raise SystemExit(f"posts were refused: {line}")
    return float(line.split("req/s=")[1].split()[0]), line


@contextmanager
def empty() -> Iterator[int]:
    """The port of an empty handler."""
    process = subprocess.Popen([sys.executable, "-c", EMPTY], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def syncs_of(pid: int, seconds: float) -> int | None:
    """How many fdatasync calls a process makes in that time; None without strace."""
    if shutil.which("strace") is None:
        return None
    command = ["timeout", "-s", "INT", str(seconds), "strace", "-f", "-c", "-e", "trace=fdatasync", "-p", str(pid)]
    report = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    lines = [line.split() for line in report.splitlines() if line.endswith("fdatasync")]
    return int(lines[0][3]) if lines else None


def processed(url: str, name: str) -> int:
    """Messages that an actor has taken."""
    with urllib.request.urlopen(f"{url}/health/actors/{name}") as answer:
        return int(json.load(answer)["processed"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5, help="length of each turn")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--batch", type=int, default=50, help="events in a post")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        config = Path(folder) / "plain.toml"
        config.write_text(PLAIN)
        process = stack.enter_context(router(Path(folder) / "data", config))
        empty_port = stack.enter_context(empty())
        binary = generator(Path(folder))
        body = Path(folder) / "body"
        body.write_bytes(events(options.batch))
        rates: dict[str, list[float]] = {"router": [], "empty": []}
        ports = {"router": process.port, "empty": empty_port}
        for _ in range(options.rounds):
            for name, port in ports.items():
                rate, line = load(binary, port, body, connections=options.connections, seconds=options.seconds)
                rates[name].append(rate)
                print(f"{name:7} {line}", flush=True)
        durable, bare = statistics.median(rates["router"]), statistics.median(rates["empty"])
        print(f"\nempty handler   {bare:8.0f} posts/s (spread {min(rates['empty']):.0f} to {max(rates['empty']):.0f})")
        print(
            f"durable router  {durable:8.0f} posts/s (spread {min(rates['router']):.0f} to {max(rates['router']):.0f})"
        )
        print(f"                {durable * options.batch:8.0f} events/s at {options.batch} a post")
        print(f"ratio           {durable / bare:8.2f}")
        _count_syncs(binary, process.port, process.pid, process.url, body, options.connections)


def _count_syncs(binary: Path, port: int, pid: int, url: str, body: Path, connections: int) -> None:
    before = processed(url, "committer")
    command = [str(binary), str(port), "/bulk", str(connections), "4", str(body), "application/json"]
    posting = subprocess.Popen([*command, "Authorization: sdk-demo\r\n"], stdout=subprocess.DEVNULL)
    syncs = syncs_of(pid, 3)
    posting.wait()
    posts = processed(url, "committer") - before
    if syncs is None:
        print("syncs           not counted: strace is not installed")
        return
    print(
        f"syncs           {syncs} fdatasync calls in 3 s (under strace), about {posts * 3 / 4:.0f} posts: one a group"
    )


if __name__ == "__main__":
    main()
