"""LaunchDarkly's Python SDK against a real router: all that it was told is stored is on the stream, once, as sent."""

import collections
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process import RouterProcess, router
from tests.sdk import stream
from tests.sdk.recorder import Recorder, recorder


def command(recording: Recorder, *options: str) -> list[str]:
    return [sys.executable, "-m", "tests.sdk.drive_launchdarkly", recording.url, *options]


def drive(recording: Recorder, *options: str) -> dict[str, int]:
    done = subprocess.run(command(recording, *options), capture_output=True, text=True, timeout=60, check=True)
    calls: dict[str, int] = json.loads(done.stdout)
    return calls


def check(process: RouterProcess, recording: Recorder, calls: dict[str, int]) -> None:
    sent = [event for exchange in recording.accepted() for event in exchange.events]
    stored = stream.events(process.url, len(sent))
    assert sorted(stored) == sorted(sent), "every event once, its JSON as sent"
    for exchange in recording.accepted():
        first = int(exchange.answer["router-offsets"].split("-")[0])
        assert stored[first : first + len(exchange.events)] == exchange.events, "a post is in order, in one piece"
    kinds = collections.Counter(json.loads(event)["kind"] for event in stored)
    assert kinds["custom"] == calls["custom"]
    assert kinds["identify"] == calls["identify"]
    counted = sum(
        counter["count"]
        for event in map(json.loads, stored)
        if event["kind"] == "summary"
        for feature in event["features"].values()
        for counter in feature["counters"]
    )
    assert counted == calls["evaluations"]


@pytest.mark.parametrize("options", [(), ("--compress",), ("--diagnostics",)], ids=str)
def test_everything_it_sends_is_on_the_stream_as_sent(tmp_path: Path, options: tuple[str, ...]) -> None:
    with router(tmp_path / "data") as process, recorder(process.url.removeprefix("http://")) as recording:
        calls = drive(recording, *options)
        check(process, recording, calls)
        encodings = {exchange.headers.get("content-encoding") for exchange in recording.exchanges}
        assert ("gzip" in encodings) == ("--compress" in options)
        assert any(exchange.path == "/diagnostic" for exchange in recording.exchanges) == ("--diagnostics" in options)


def test_a_lost_answer_is_retried_and_stored_once(tmp_path: Path) -> None:
    """The router stored the batch, the SDK heard 503 and sent it again with the same payload id."""
    with router(tmp_path / "data") as process, recorder(process.url.removeprefix("http://")) as recording:
        recording.lose = 1
        calls = drive(recording)
        repeats = [exchange for exchange in recording.exchanges if exchange.answer.get("router-duplicate")]
        assert len(repeats) == 1
        original = recording.exchanges[0]
        assert repeats[0].answer["router-offsets"] == original.answer["router-offsets"]
        check(process, recording, calls)


def test_a_restart_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    """The SDK retries once after a second: the router is back by then."""
    with router(tmp_path / "data") as process, recorder(process.url.removeprefix("http://")) as recording:
        driving = subprocess.Popen(
            command(recording, "--pauses", "10"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert driving.stderr is not None
        while driving.stderr.readline().strip() != "2":
            assert driving.poll() is None
        assert process.stop() == 0
        process.start()
        out, _ = driving.communicate(timeout=60)
        check(process, recording, json.loads(out))
