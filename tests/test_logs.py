"""Logs: one line per happening, whoever logs it."""

import json
import subprocess
import sys

import pytest

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
