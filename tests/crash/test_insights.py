"""SIGKILL under load, again and again: the insights are those that the log comes to, and a rebuild finds the same."""

import http.client
import json
import subprocess
import sys
import threading
import urllib.parse
import uuid
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.crash.load import read_all
from tests.process import RouterProcess, router
from tests.sdk import insights

ROUNDS = 8
FLAGS = ("a", "b", "c")


def post_until_killed(process: RouterProcess, random: Random, version: int) -> None:
    """Summaries, evaluations of a newer version in each round, and a webhook, until the router is gone."""
    killer = threading.Timer(0.4 + random.random() * 0.8, process.kill)
    killer.start()
    try:
        while True:
            now = insights.now()
            counters = [
                {"variation": index, "value": value, "version": version, "count": random.randint(1, 50)}
                for index, value in enumerate(("red", "blue"))
            ]
            told = {"default": "red", "contextKinds": ["user"], "counters": counters}
            start = now - random.randint(0, 90_000)
            summary = {"kind": "summary", "startDate": start, "endDate": now, "features": {random.choice(FLAGS): told}}
            headers = {"Authorization": "sdk-demo", "X-LaunchDarkly-Payload-ID": str(uuid.uuid4())}
            insights.post(f"{process.url}/bulk", json.dumps([summary]).encode(), headers)
            if random.random() < 0.02:
                insights.announce_launchdarkly(process.url, random.choice(FLAGS), now)
    except (OSError, http.client.HTTPException):
        pass  # the router is gone
    finally:
        killer.join()


def known(url: str) -> tuple[Counter[tuple[str, str]], list[dict[str, Any]]]:
    """(evaluations by flag and value, flag events)."""
    insights.wait_indexed(url)
    counts: Counter[tuple[str, str]] = Counter()
    for flag in FLAGS:
        for step in ("1m", "1h"):
            query = urllib.parse.urlencode({"from": insights.now() - 4 * 3600_000, "step": step})
            status, body = insights.get(f"{url}/insights/flags/default/production/{flag}/evaluations?{query}")
            assert status == 200
            found = {(flag, series["value"]): series["total"] for series in body["variations"]}
            assert step == "1m" or found == {key: counts[key] for key in found}
            counts.update(found if step == "1m" else {})
    return counts, insights.all_flag_events(url)


@pytest.mark.timeout(180)
def test_killed_under_load_it_counts_what_the_log_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed = Random().randrange(1, 2**32)
    random = Random(seed)
    with capsys.disabled():
        print(f"\ninsights kill loop: seed {seed}")
    with router(tmp_path / "data") as process:
        for version in range(1, ROUNDS + 1):
            post_until_killed(process, random, version)
            process.start()
        counts, events = known(process.url)
        _, health = insights.get(f"{process.url}/health")
        log = [json.loads(message.data) for message in read_all(process.port, health["environments"][0]["head"])]
        expected: Counter[tuple[str, str]] = Counter()
        for event in log:
            for flag, told in event.get("features", {}).items():
                for counter in told["counters"]:
                    expected[flag, counter["value"]] += counter["count"]
        assert counts == expected
        assert len(log) > ROUNDS * 10, "the load was a load"
        announced = {event["_id"] for event in log if "_id" in event}
        assert {event["auditLogEntryId"] for event in events if "auditLogEntryId" in event} == announced
        rebuild = [sys.executable, "-m", "router", "insights", "rebuild", "--data", str(process.data)]
        refused = subprocess.run(rebuild, capture_output=True, text=True, check=False)
        assert refused.returncode == 75
        assert "stop the router first" in refused.stderr
        assert process.stop() == 0
        done = subprocess.run(rebuild, capture_output=True, text=True, check=True)
        assert f"default/production: {len(log)} events counted, {len(events)} flag changes" in done.stdout
        process.start()
        again, same = known(process.url)
        assert again == expected
        for event in (*events, *same):
            event["impact"].pop("complete")
        assert same == events
