"""`router tail`, as a person runs it: lines, filters, JSON, and going on after the router was killed."""

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import IO

import pytest

from router.commands.tail import context, line, out_of_band, variation
from tests.process import RouterProcess, router

FEATURE = {
    "kind": "feature", "creationDate": 1767225600123, "key": "checkout", "version": 3, "variation": 1, "value": "blue",
    "context": {"kind": "user", "key": "u-7"},
}  # fmt: skip
CUSTOM = {"kind": "custom", "key": "order-paid", "creationDate": 1767225601000, "contextKeys": {"user": "u-7"}}


def post(process: RouterProcess, *events: dict[str, object]) -> None:
    request = urllib.request.Request(f"{process.url}/bulk", json.dumps(events).encode(), {"Authorization": "sdk-demo"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 202


class Tail:
    """The command at work."""

    def __init__(self, process: RouterProcess, *options: str) -> None:
        command = [sys.executable, "-m", "router", "tail", "--url", process.url, "--token", "api-demo", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.lines: IO[str] = self.process.stdout

    def end(self) -> tuple[int, str]:
        """As with Ctrl-C; the exit status and what was said on standard error."""
        self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=10)
        return self.process.returncode, errors


def test_lines_for_people_go_on_where_they_were_after_a_kill(tmp_path: Path) -> None:
    with router(tmp_path / "data") as process:
        post(process, FEATURE)
        tail = Tail(process, "--since", "earliest")
        assert tail.lines.readline().split() == ["00:00:00.123", "evaluation", "checkout", "blue", "user:u-7"]
        process.kill()
        process.start()
        post(process, CUSTOM)
        assert tail.lines.readline().split() == ["00:00:01.000", "custom", "order-paid", "user:u-7"]
        status, errors = tail.end()
        assert status == 0
        assert "Traceback" not in errors


def test_a_selection_as_json() -> None:
    with router() as process:
        post(process, FEATURE, CUSTOM)
        tail = Tail(process, "--since", "earliest", "--json", "--kind", "custom", "--env", "default/production")
        found = json.loads(tail.lines.readline())
        assert (found["type"], found["data"]) == ("flags.custom", CUSTOM)
        assert tail.end()[0] == 0


def test_what_is_refused_is_said_in_a_sentence() -> None:
    with router() as process:
        for options, text in ((("--kind", "nonsense"), "no kind"), (("--env", "x"), "PROJECT/ENVIRONMENT")):
            tail = Tail(process, *options)
            _, errors = tail.process.communicate(timeout=20)
            assert tail.process.returncode in (1, 2)
            assert text in errors
            assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"value": True}, "true"),
        ({"variation": 1}, "1"),
        ({"value": {"a": "é"}}, '{"a": "é"}'),
        ({"metadata": {"gate": "g", "gateValue": "true"}}, "true"),
        ({"metadata": {"config": "c", "ruleID": "r"}}, "r"),
        ({}, ""),
    ],
)
def test_variations_of_either_vendor(data: dict[str, object], expected: str) -> None:
    assert variation(data) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"context": {"kind": "org", "key": "a"}}, "org:a"),
        ({"context": {"kind": "multi", "user": {"key": "u"}, "org": {"key": "o"}}}, "user:u,org:o"),
        ({"contextKeys": {"user": "u", "org": "o"}}, "user:u,org:o"),
        ({"user": {"userID": "u"}}, "user:u"),
        ({"userKey": "u"}, "u"),
        ({}, ""),
    ],
)
def test_contexts_of_either_vendor(data: dict[str, object], expected: str) -> None:
    assert context(data) == expected


def test_what_is_about_the_stream_is_a_sentence() -> None:
    gap = {"from": "a-1", "to": "a-4", "lost": 3, "reason": "retention"}
    assert out_of_band("gap", gap) == "gap: 3 events are not kept any more (retention), from a-1 to a-4"
    assert "cursor a-1" in out_of_band("reset", {"from": "a-1", "to": None})
    assert line({"type": "flags.other", "time": "2026-01-01T00:00:00.000Z", "data": [1]}).startswith("00:00:00.000")
