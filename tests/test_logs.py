"""Logs: one line per happening, whoever logs it."""

import contextlib
import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.process import router

SCRIPT = """
import logging, structlog
from router import logs
logs.configure({level!r}, {form!r})
structlog.get_logger("a").info("own", key="value")
logging.getLogger("hypercorn.error").warning("foreign\\nsecond line")
"""


def lines(level: str, form: str) -> list[str]:
    script = SCRIPT.format(level=level, form=form)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


@pytest.mark.parametrize("form", ["json", "auto"])
def test_a_line_is_one_json_object_where_nobody_watches(form: str) -> None:
    """Whatever a message holds, it cannot forge a line of its own."""
    own, foreign = (json.loads(line) for line in lines("info", form))

    assert (own["event"], own["key"], own["level"]) == ("own", "value", "info")
    assert (foreign["event"], foreign["level"]) == ("foreign\nsecond line", "warning")


def test_a_level_leaves_out_what_is_below() -> None:
    assert [json.loads(line)["level"] for line in lines("warning", "json")] == ["warning"]


def test_the_console_is_for_people() -> None:
    assert "own" in lines("info", "console")[0]


TRACEBACK = """
import structlog
from router import logs
logs.configure("info", {form!r})
def fail(headers):
    raise KeyError("a bug")
try:
    fail({{"authorization": "sdk-secret-key"}})
except KeyError:
    structlog.get_logger("a").exception("an event post failed")
"""


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_shows_where_and_never_the_values(form: str) -> None:
    """Variables on the way of a request hold keys and people's data."""
    script = TRACEBACK.format(form=form)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "a bug" in done.stderr
    assert "sdk-secret-key" not in done.stderr


FORGED = """
import logging, structlog
from router import logs
logs.configure("info", {form!r})
forged = 'x\\n2026-01-01T00:00:00Z [error] forged\\r\\x1b[2J\\u2028\\u202e"'
try:
    raise ValueError(forged)
except ValueError:
    structlog.get_logger("t").exception("failed", endpoint=forged, several=[forged], other=forged.encode())
logging.getLogger("other").warning("plain %s", forged)
"""


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_line_cannot_be_forged(form: str) -> None:
    done = subprocess.run([sys.executable, "-c", FORGED.format(form=form)], capture_output=True, text=True, check=True)
    found = done.stderr.splitlines()

    assert all(not line.startswith("2026-01-01") for line in found)
    assert not any(mark in line for line in found for mark in ("\x1b[2J", "\u202e"))
    assert len([line for line in found if not line.lstrip().startswith("|")]) == 2


COVERED = """
import structlog
from router import logs
from router.redaction import Redactor
curtain = logs.Curtain()
logs.configure("info", {form!r}, curtain)
curtain.redact = Redactor(["sdk-secret-1"])
try:
    raise ValueError("no such key: sdk-secret-1")
except ValueError:
    structlog.get_logger("t").exception("failed with sdk-secret-1", url="/events?token=sdk-secret-1")
"""


@pytest.mark.parametrize("form", ["console", "json"])
def test_the_routers_own_secrets_are_covered(form: str) -> None:
    done = subprocess.run([sys.executable, "-c", COVERED.format(form=form)], capture_output=True, text=True, check=True)

    assert "failed" in done.stderr
    assert "sdk-secret-1" not in done.stderr
    assert "[redacted:" in done.stderr


JOURNAL = """
import os, stat
status = os.fstat(2)
os.environ["JOURNAL_STREAM"] = f"{{status.st_dev}}:{{status.st_ino + {other}}}"
"""


@pytest.mark.parametrize("form", ["json", "console"])
def test_in_the_journal_each_line_has_its_priority(form: str) -> None:
    script = JOURNAL.format(other=0) + SCRIPT.format(level="info", form=form) + BUG
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    lines = done.stderr.splitlines()

    assert lines[0].startswith("<6>")
    assert lines[1].startswith("<4>")
    assert all(line.startswith("<3>") for line in lines[2:])
    if form == "json":
        assert [json.loads(line[3:])["level"] for line in lines] == ["info", "warning", "error"]


def test_elsewhere_there_are_no_priorities() -> None:
    """Although a shell has passed the variable on."""
    script = JOURNAL.format(other=1) + SCRIPT.format(level="info", form="json")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.startswith("{")


def test_requests_are_lines_when_asked_for_and_hold_no_secret(tmp_path: Path) -> None:
    config = tmp_path / "router.toml"
    config.write_text('[server]\nbind = ["127.0.0.1:0"]\n[log]\nrequests = true\n' + CONFIG)
    with router(tmp_path / "data", config) as process:
        for path, key in (
            ("/bulk", "sdk-good"),
            ("/events/bulk/client-in-the-path", ""),
            ("/nowhere/sdk-lost?k=5", ""),
        ):
            request = urllib.request.Request(
                process.url + path, b"[]", {"Authorization": key, "X-Request-Id": "trace-1"}
            )
            with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(request, timeout=10) as answer:
                assert answer.headers["X-Request-Id"] == "trace-1"
        assert process.stop() == 0
        text = process.errors.read_text()
    found = [line for line in map(json.loads, text.splitlines()) if line["event"] == "request"]

    assert [(line["path"], line["status"]) for line in found] == [
        ("/bulk", 202),
        ("/events/bulk/{client_side_id}", 404),
        ("unknown", 404),
    ]
    assert {line["request"] for line in found} == {"trace-1"}
    for secret in ("sdk-good", "client-in-the-path", "sdk-lost", "k=5"):
        assert secret not in text


CONFIG = """
[[environment]]
project = "default"
key = "production"
sdk_keys = ["sdk-good"]
"""

BUG = """
try:
    raise ValueError("two\\nlines")
except ValueError:
    structlog.get_logger("a").exception("a bug")
"""
