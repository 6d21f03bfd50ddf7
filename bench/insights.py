"""How far the insights are behind the log at full load, and how long a question takes over much that is known.

    .venv/bin/python -m bench.insights [--seconds 10] [--changes 10000] [--days 90]

Lag: 64 connections post batches of 50 events as fast as the router takes them (`bench.ingest`); meanwhile `/health` is
asked how far the log and the insights are. The lag at a moment is the time since the log was where the insights are.
Questions: a data directory with that many changes, and a row for every minute of those days, is written first.
"""

import argparse
import http.client
import json
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from bench.ingest import EVENT, generator
from router.changes import Change, change_id
from router.names import EnvironmentName
from router.pipeline.insights import Insights
from router.store.changes import Impact, Record, Served
from router.store.engine import Batch, Engine
from router.store.meta import Meta
from router.store.rollups import EVALUATION, Amount, Variation
from tests.process import router

NAME = EnvironmentName("default", "production")
FLAGS = 500
SIZES = ("none", "small", "medium", "large")
EVENTS = "/api/v2/engineering-insights/flag-events?projectKey=default&environmentKey=production"


def now() -> int:
    return time.time_ns() // 1_000_000


def features(count: int, time: int) -> list[dict[str, object]]:
    """Tracked evaluations, each of a context of its own: what costs the insights most."""
    return [
        EVENT | {"creationDate": time, "key": f"flag-{n % 10}", "context": {"kind": "user", "key": f"user-{n:04}"}}
        for n in range(count)
    ]


def summaries(count: int, time: int) -> list[dict[str, object]]:
    """Summaries of five seconds with ten flags each."""
    counters = [{"variation": n, "version": 17, "value": f"v{n}", "count": 100 + n} for n in range(2)]
    told = {f"flag-{n}": {"default": "v0", "contextKinds": ["user"], "counters": counters} for n in range(10)}
    return [{"kind": "summary", "startDate": time - 5000, "endDate": time, "features": told} for _ in range(count)]


def mixed(count: int, time: int) -> list[dict[str, object]]:
    """As an SDK flushes: one summary among tracked evaluations and events of the application's own."""
    custom = {"kind": "custom", "key": "order", "creationDate": time, "contextKeys": {"user": "u"}, "metricValue": 1.5}
    return [*summaries(1, time), *features(count // 2, time), *[custom] * (count - 1 - count // 2)]


def measure_lag(seconds: float, make: Callable[[int, int], list[dict[str, object]]], connections: int) -> None:
    with tempfile.TemporaryDirectory() as folder, router() as process:
        binary = generator(Path(folder))
        body = Path(folder) / "body"
        body.write_bytes(json.dumps(make(50, now()), separators=(",", ":")).encode())
        command = [str(binary), str(process.port), "/bulk", str(connections), str(seconds), str(body)]
        posting = subprocess.Popen(
            [*command, "application/json", "Authorization: sdk-demo\r\n"], stdout=subprocess.PIPE, text=True
        )
        seen: list[tuple[float, int, int]] = []
        while posting.poll() is None or seen[-1][1] != seen[-1][2]:
            with urllib.request.urlopen(f"{process.url}/health") as answer:
                environment = json.load(answer)["environments"][0]
            seen.append((time.monotonic(), environment["head"], environment["indexed"]))
            time.sleep(0.1)
        assert posting.stdout is not None
        line = posting.stdout.read().strip()
        lags = [at - next(then for then, head, _ in seen if head >= indexed) for at, _, indexed in seen]
        with urllib.request.urlopen(f"{process.url}/health/actors/default/production/indexer") as answer:
            restarts = json.load(answer)["restarts"]
        print(f"{make.__name__:10} {line}")
        print(
            f"           lag {statistics.median(lags):.2f} s median, {max(lags):.2f} s at most;"
            f" {seen[-1][2]} events, {restarts} restarts"
        )


def populate(data: Path, changes: int, days: int) -> None:
    """A data directory with everything that the questions are about."""
    engine = Engine.open(data)
    insights = Insights(NAME, engine, Meta(engine).log(NAME).number, None)
    end = now() // 60_000
    rows = {
        Variation(EVALUATION, n, 17, f'"v{n}"'.encode()): Amount(1000, dict.fromkeys(range(0, 60, 5), 100))
        for n in range(2)
    }
    for minute in range(end - days * 24 * 60, end):
        batch = Batch()
        insights.rollups.add(batch, "busy", minute, rows)
        engine.write(batch)
        insights.rollups.trim()
    for begin in range(0, changes, 500):
        for number in range(begin, min(begin + 500, changes)):
            when = now() - (number + 1) * (6 * 24 * 3600_000 // changes)
            change = Change(
                change_id(NAME, str(number)), f"flag-{number % FLAGS}", "updated_rules", when, "Rules", "launchdarkly",
                everywhere=number % 10 == 0, actions=("updateRules",), audit_id=str(number),
            )  # fmt: skip
            served = (Served(b'"v0"', 1000, 500), Served(b'"v1"', 0, 500))
            insights.changes.put(Record(change, Impact(SIZES[number % 4], 50.0, "evaluations", served)))
        batch = Batch()
        insights.changes.stage(batch)
        engine.write(batch)
        insights.changes.advance()
    engine.sync()
    engine.close()


def ask(port: int, path: str, count: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    times, size = [], 0
    for _ in range(count):
        begun = time.perf_counter()
        connection.request("GET", path, headers={"Authorization": "api-demo"})
        answer = connection.getresponse()
        size = len(answer.read())
        times.append((time.perf_counter() - begun) * 1000)
        if answer.status == 429:  # its own limit would be measured then
            time.sleep(10)
    times.sort()
    print(f"{statistics.median(times):8.1f} {times[int(len(times) * 0.99)]:8.1f} ms {size:8} B  {path[:110]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="of load for each kind of traffic")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--changes", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--questions", type=int, default=200, help="of each kind")
    options = parser.parse_args()
    if options.seconds:
        for make in (features, mixed):
            measure_lag(options.seconds, make, options.connections)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        populate(data, options.changes, options.days)
        with router(data) as process:
            print("  median      p99")
            deep = change_id(NAME, str(options.changes // 2))
            start = now() - options.days * 24 * 3600_000
            for path in (
                EVENTS,
                f"{EVENTS}&limit=100&expand=experiments",
                f"{EVENTS}&limit=100&impactSize=medium&query=flag-1&global=exclude&hasExperiments=false",
                f"{EVENTS}&after={deep}",
                f"/insights/flags/default/production/busy/evaluations?from={now() - 3600_000}&step=1m",
                f"/insights/flags/default/production/busy/evaluations?from={start}&step=6h",
            ):
                ask(process.port, path, options.questions)


if __name__ == "__main__":
    main()
