"""What abuse leaves behind in memory: nothing to speak of."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.abuse.attacks import ATTACKS
from tests.abuse.watched import CONFIGURATION, LONG, attacker, memory, outcome, posts
from tests.process import RouterProcess, router

QUIET = 6.0  # seconds after ordinary traffic until what it needed for a moment has gone back
PATIENCE = 100.0  # seconds after the last attack; the last round of trimming is some 80 s after the peak
ENVIRONMENTS = """
[[environment]]
project = "default"
key = "test"
sdk_keys = ["sdk-test"]
[[environment]]
project = "default"
key = "staging"
sdk_keys = ["sdk-staging"]
[[token]]
name = "other reader"
token = "api-other"
scopes = ["stream"]
environments = ["*"]
"""
"""The ones besides that are attacked: a project of LaunchDarkly's begins with two, and most have a third."""
EACH = 2.5  # seconds of every attack; of one kind after the other
MOST = 1.10


@pytest.fixture(params=["fast lane", "plain route"])
def process(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RouterProcess]:
    # The configuration ends with the attackers' reader, who names no environment and so may have one.
    text = f'{CONFIGURATION}environments = ["default/production"]\n{ENVIRONMENTS}'
    if request.param == "plain route":
        text = text.replace("[server]\n", "[server]\nfast_lane = false\n")
    (tmp_path / "router.toml").write_text(text)
    with router(tmp_path / "data", tmp_path / "router.toml") as running:
        yield running


def ordinary(process: RouterProcess) -> None:
    command = [sys.executable, "-m", "tests.abuse.ordinary", str(process.port)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert set(json.loads(done.stdout)) <= {"202", "200"}


@pytest.mark.timeout(400)
def test_memory_after_an_hour_of_abuse_is_what_it_was_after_ordinary_traffic(process: RouterProcess) -> None:
    """Every attack there is, in two minutes, of which the largest needs five thousand connections."""
    ordinary(process)
    time.sleep(QUIET)
    before = memory(process.pid)
    course = [("before", before)]
    for name in ATTACKS:
        with attacker(process, name, LONG.get(name, EACH)) as running:
            outcome(running)
        course.append((name, memory(process.pid)))

    until = time.monotonic() + PATIENCE
    statuses: Counter[int] = Counter()
    while memory(process.pid) > before * MOST and time.monotonic() < until:
        posts(process.port, lambda: False, statuses)
        time.sleep(1)
    course.append(("after", memory(process.pid)))
    print(course)
    assert set(statuses) <= {202}
    assert course[-1][1] <= before * MOST, course
