"""What the daemon knows about itself: the pulse is the last of the tree, and its metrics are there from the start."""

import time
from pathlib import Path

from tests.process import router
from tests.test_daemon import get
from tests.test_metrics import scrape, total


def test_the_notifier_starts_last_and_beats(tmp_path: Path) -> None:
    with router(tmp_path / "data") as process:
        root = get(process, "/health/actors")
        children = root["children"]
        assert isinstance(children, list)
        assert [child["name"] for child in children] == ["core", "http", "notifier"]
        assert children[-1]["state"] == "running"
        end = time.monotonic() + 10
        while not total(scrape(process), "router_watchdog_fed"):
            assert time.monotonic() < end, "it does not beat"
            time.sleep(0.05)
