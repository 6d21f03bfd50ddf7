"""What a rollout comes back as: the official SDKs evaluate, the router counts, the flag event says what changed."""

import subprocess
import sys
import time
from typing import Any

import pytest

from tests.process import router
from tests.sdk import insights
from tests.sdk.drive_rollout import CONTEXTS

HALF = CONTEXTS // 2


def drive(url: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.sdk.drive_rollout", url, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def phase(process: subprocess.Popen[str]) -> int:
    """Wait for a phase to be over; how many contexts got the new value."""
    assert process.stdout is not None
    return int(process.stdout.readline())


def the_event(url: str) -> dict[str, Any]:
    insights.wait_indexed(url)
    page = insights.flag_events(url)
    assert page["totalCount"] == 1, page
    found: dict[str, Any] = page["items"][0]
    return found


def counts(event: dict[str, Any]) -> dict[Any, tuple[int, int]]:
    return {
        each["value"]: (each["before"], each["after"]) for each in event["impact"]["evaluationsSummary"]["variations"]
    }


@pytest.mark.parametrize("webhook", ["none", "first", "last"])
def test_launchdarklys_sdk(webhook: str) -> None:
    """The same impact whether a webhook tells of the change, before the traffic shows it or after, or none does."""
    with router() as process:
        driver = drive(process.url, "launchdarkly")
        assert phase(driver) == 0
        insights.wait_indexed(process.url, events=1)
        time.sleep(1.01)  # what happened in the second of the change counts as after it
        when = insights.now()
        if webhook == "first":
            assert insights.announce_launchdarkly(process.url, "checkout", when)[0] == 200
            insights.wait_indexed(process.url)
            assert insights.flag_events(process.url)["items"][0]["impact"].get("size") is None
        assert driver.stdin is not None
        driver.stdin.write("\n")
        driver.stdin.flush()
        assert phase(driver) == HALF
        driver.communicate(timeout=30)
        assert driver.returncode == 0
        observed = the_event(process.url)["id"] if webhook == "last" else None
        if webhook == "last":
            assert insights.announce_launchdarkly(process.url, "checkout", when)[0] == 200
        event = the_event(process.url)
        assert counts(event) == {"red": (CONTEXTS, HALF), "blue": (0, HALF)}
        impact = event["impact"]
        assert (impact["size"], impact["percentage"], impact["reason"]) == ("medium", 50, "evaluations")
        assert impact["complete"] is False
        assert event["flagKey"] == "checkout"
        if webhook == "none":
            assert event["eventType"] == "observed_version"
            assert abs(event["eventTime"] - when) < 10_000
        else:
            assert (event["eventType"], event["eventTime"]) == ("enabled_targeting", when)
            assert event["member"]["email"] == "kim@shop.test"
        if observed is not None:
            assert event["id"] == observed, "an event keeps its id when a webhook says more of it"
        assert insights.flag_events(process.url, applicationKey="other,shop")["totalCount"] == 1
        assert insights.flag_events(process.url, applicationKey="other")["totalCount"] == 0


def test_statsigs_sdk() -> None:
    with router() as process:
        before = drive(process.url, "statsig", "0")
        assert phase(before) == 0
        before.communicate(timeout=30)
        # Exposures carry no version: the second of the change is all that tells what was before it.
        time.sleep(1.1)
        when = insights.now()
        assert insights.announce_statsig(process.url, "new_cart", when)[0] == 200
        after = drive(process.url, "statsig", "50")
        new = phase(after)
        after.communicate(timeout=30)
        assert HALF * 0.8 < new < HALF * 1.2
        event = the_event(process.url)
        assert counts(event) == {False: (CONTEXTS, CONTEXTS - new), True: (0, new)}
        impact = event["impact"]
        assert (impact["size"], impact["reason"]) == ("medium", "exposures")
        assert impact["percentage"] == pytest.approx(100 * new / CONTEXTS)
        assert (event["eventType"], event["eventTime"]) == ("updated_rules", when)
        assert event["description"].endswith("from 0.00% to 50.00%")
