"""`router status`: healthy or not at a glance, in a table that fits."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.commands.status import duration, is_healthy, report, table
from tests.process import RouterProcess, router
from tests.test_daemon import post


def status(process: RouterProcess | str, *more: str, columns: int = 100) -> subprocess.CompletedProcess[str]:
    url = process if isinstance(process, str) else process.url
    command = [sys.executable, "-m", "router", "status", "--url", url, *more]
    environ = {"PATH": "/usr/bin", "COLUMNS": str(columns)}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environ)


def actor(name: str, state: str = "running", *children: dict[str, Any], error: str | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "state": state,
        "mailbox": {"depth": 1, "capacity": 64, "peak": 9},
        "processed": 12_345,
        "restarts": 2,
        "last_error": error and {"type": "OSError", "message": error, "at": 1},
        "waiting_on": None,
        "children": list(children),
    }


HEALTH = {
    "ready": True,
    "reasons": [],
    "version": "1.0",
    "uptime": 90_061,
    "environments": [
        {"environment": "default/production", "state": "running", "head": 12_345, "low": 5, "fault": None}
    ],
}


def test_a_healthy_router_with_a_reader(tmp_path: Path) -> None:
    with router(tmp_path / "data") as process:
        post(process)
        request = urllib.request.Request(
            f"{process.url}/events?from=earliest", headers={"Authorization": "api_key api-demo"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.read1()
            done = status(process)
            machine = json.loads(status(process, "--json").stdout)
    assert (done.returncode, done.stderr) == (0, "")
    for text in ("ready", "default/production", "committer", "notifier", "BEHIND"):
        assert text in done.stdout
    assert machine["healthy"] is True
    assert machine["streams"][0]["lag"] == 0
    assert machine["health"]["environments"][0]["head"] == 1
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_nobody_there_is_one_sentence() -> None:
    done = status("http://127.0.0.1:9")

    assert done.returncode == 1
    assert done.stderr.startswith("router: no router answers at http://127.0.0.1:9")
    assert len(done.stderr.splitlines()) == 1


def test_a_router_that_is_not_ready_is_shown_with_its_reasons() -> None:
    health = HEALTH | {"ready": False, "reasons": ["the committer is backoff"]}
    lines = list(report(health, actor("root", "running", actor("committer", "backoff", error="disk on fire")), [], 80))

    assert "NOT READY" in lines[0]
    assert lines[1] == "  the committer is backoff"
    assert any("committer: OSError: disk on fire" in line for line in lines)
    assert not is_healthy(health, actor("root"))


@pytest.mark.parametrize("state", ["failed", "backoff", "starting"])
def test_any_actor_that_does_not_run_is_no_health(state: str) -> None:
    assert is_healthy(HEALTH, actor("root", "running", actor("a")))
    assert not is_healthy(HEALTH, actor("root", "running", actor("a", "running", actor("b", state))))


@given(
    st.lists(st.tuples(st.text("abc", max_size=90), st.integers(0, 10**9).map(str)), max_size=5), st.integers(60, 200)
)
def test_a_table_fits_the_terminal(rows: list[tuple[str, str]], width: int) -> None:
    for line in table(("NAME", "NUMBER"), rows, width):
        assert len(click.unstyle(line)) <= width


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3600, "1 h"), (90_061, "1 d 1 h")]
)
def test_times_are_shown_in_two_units(seconds: int, text: str) -> None:
    assert duration(seconds) == text
