"""Statsig's Python SDKs against a real router: what they logged is what is stored, once."""

import collections
import json
import subprocess
import sys
from pathlib import Path

import pytest

from router.redaction import Redactor
from tests.process import RouterProcess, router
from tests.sdk import stream
from tests.sdk.drive_statsig import SPECS
from tests.sdk.recorder import Recorder, recorder

KINDS = ["legacy", "core"]
REDACT = Redactor(["secret-demo"])


def command(recording: Recorder, kind: str, *options: str) -> list[str]:
    return [sys.executable, "-m", "tests.sdk.drive_statsig", recording.url, kind, *options]


def drive(recording: Recorder, kind: str, *options: str) -> dict[str, int]:
    done = subprocess.run(command(recording, kind, *options), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    calls: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return calls


def check(process: RouterProcess, recording: Recorder, calls: dict[str, int]) -> list[bytes]:
    """Every event that the SDK was told is kept stands in the log once, as it was sent."""
    sent = [REDACT(event) for exchange in recording.accepted(fresh=False) for event in exchange.events]
    distinct = list(dict.fromkeys(sent))
    stored = stream.events(process.url, len(distinct))
    assert sorted(stored) == sorted(distinct)
    names = collections.Counter(json.loads(event)["eventName"] for event in stored)
    assert names["statsig::gate_exposure"] == calls["gate"]
    assert names["add_to_cart"] + names["later"] == calls["custom"]
    assert b"secret-demo" not in b"".join(stored)
    return stored


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_logged_is_what_is_stored(tmp_path: Path, kind: str) -> None:
    with router(tmp_path / "data") as process, recorder(process.url.removeprefix("http://"), SPECS) as recording:
        calls = drive(recording, kind)
        stored = check(process, recording, calls)
        if kind == "core":
            assert any(b"[redacted:" in event for event in stored), "its diagnostics hold the secret key"


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_answer_is_retried_and_stored_once(tmp_path: Path, kind: str) -> None:
    """The legacy SDK sends the same batch again, the core merges its events with newer ones into a bigger batch."""
    with router(tmp_path / "data") as process, recorder(process.url.removeprefix("http://"), SPECS) as recording:
        recording.lose = 1
        calls = drive(recording, kind, "--pauses", "3")
        check(process, recording, calls)
        sent = sum(len(exchange.events) for exchange in recording.accepted(fresh=False))
        assert sent > calls["gate"] + calls["custom"], "something was sent twice"


@pytest.mark.parametrize("kind", KINDS)
def test_a_restart_in_the_middle_loses_nothing_acknowledged(tmp_path: Path, kind: str) -> None:
    with router(tmp_path / "data") as process, recorder(process.url.removeprefix("http://"), SPECS) as recording:
        driving = subprocess.Popen(
            command(recording, kind, "--pauses", "12"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert driving.stderr is not None
        while (line := driving.stderr.readline()).strip() != "3":
            assert line or driving.poll() is None
        assert process.stop() == 0
        process.start()
        out, errors = driving.communicate(timeout=60)
        assert driving.returncode == 0, errors
        check(process, recording, json.loads(out.splitlines()[-1]))
