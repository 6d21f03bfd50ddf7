"""LaunchDarkly's Node SDKs against a real router: chunked bodies, gzip, diagnostics, lost answers, a restart."""

import json
from pathlib import Path

import pytest

from tests.node.conftest import Driver
from tests.process import router
from tests.sdk.recorder import recorder
from tests.sdk.test_launchdarkly import check

SDKS = ["ld-server", "ld-client"]


@pytest.mark.parametrize(
    ("sdk", "options"),
    [("ld-server", ()), ("ld-server", ("--compress",)), ("ld-server", ("--diagnostics",)), ("ld-client", ())],
    ids=str,
)
def test_everything_it_sends_is_on_the_stream_as_sent(
    tmp_path: Path, driver: Driver, sdk: str, options: tuple[str, ...]
) -> None:
    with router(tmp_path / "data") as process, recorder(process.url.removeprefix("http://")) as recording:
        calls = driver.finish(driver.start(recording, sdk, *options))
        check(process, recording, calls)
        assert any("gzip" in exchange.headers.get("content-encoding", "") for exchange in recording.exchanges) == (
            "--compress" in options
        )


@pytest.mark.parametrize("sdk", SDKS)
def test_a_lost_answer_is_retried_and_stored_once(tmp_path: Path, driver: Driver, sdk: str) -> None:
    with router(tmp_path / "data") as process, recorder(process.url.removeprefix("http://")) as recording:
        recording.lose = 1
        calls = driver.finish(driver.start(recording, sdk, "--pauses", "8"))
        repeats = [exchange for exchange in recording.exchanges if exchange.answer.get("router-duplicate")]
        assert len(repeats) == 1
        check(process, recording, calls)


def test_a_diagnostic_retried_on_the_analytics_path_is_stored_once(tmp_path: Path, driver: Driver) -> None:
    """Its first answer is lost: the SDK sends it again to /bulk, as a bare object."""
    with router(tmp_path / "data") as process, recorder(process.url.removeprefix("http://")) as recording:
        recording.lose = 1
        calls = driver.finish(driver.start(recording, "ld-server", "--diagnostics", "--pauses", "8"))
        sent = [
            exchange
            for exchange in recording.exchanges
            if exchange.body.startswith(b"{") and json.loads(exchange.body)["kind"].startswith("diagnostic")
        ]
        if sent[0].path == "/diagnostic" and len(sent) > 1:
            assert [exchange.path for exchange in sent] == ["/diagnostic", "/bulk"]
            assert sent[1].answer["router-duplicate"] == "true"
        check(process, recording, calls)


@pytest.mark.parametrize("sdk", SDKS)
def test_a_restart_in_the_middle_loses_nothing(tmp_path: Path, driver: Driver, sdk: str) -> None:
    """Both SDKs try again, the client SDK at once: the proxy in between holds no connection open to the router."""
    with router(tmp_path / "data") as process, recorder(process.url.removeprefix("http://")) as recording:
        running = driver.start(recording, sdk, "--pauses", "12")
        driver.wait_for(running, 2)
        assert process.stop() == 0
        process.start()
        calls = driver.finish(running)
        lost = calls["custom"] - sum(
            json.loads(event)["kind"] == "custom" for exchange in recording.accepted() for event in exchange.events
        )
        check(process, recording, calls | {"custom": calls["custom"] - lost})
        refused = sum(exchange.status != 202 for exchange in recording.exchanges)
        assert lost <= refused, "only what the SDK gave up after a refusal is missing"
