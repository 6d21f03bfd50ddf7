"""Statsig's Node SDKs against a real router: retries without gzip, zstd, merged batches, a restart."""

from pathlib import Path

import pytest

from tests.node.conftest import Driver
from tests.process import router
from tests.sdk.drive_statsig import SPECS
from tests.sdk.recorder import recorder
from tests.sdk.test_statsig import check

SDKS = ["statsig", "statsig-core"]


@pytest.mark.parametrize("sdk", SDKS)
def test_what_it_logged_is_what_is_stored(tmp_path: Path, driver: Driver, sdk: str) -> None:
    with router(tmp_path / "data") as process, recorder(process.url.removeprefix("http://"), SPECS) as recording:
        calls = driver.finish(driver.start(recording, sdk))
        check(process, recording, calls)
        encodings = {exchange.headers.get("content-encoding") for exchange in recording.accepted()}
        assert encodings == {"zstd" if sdk == "statsig-core" else "gzip"}


@pytest.mark.parametrize("sdk", SDKS)
def test_a_lost_answer_is_retried_and_stored_once(tmp_path: Path, driver: Driver, sdk: str) -> None:
    with router(tmp_path / "data") as process, recorder(process.url.removeprefix("http://"), SPECS) as recording:
        recording.lose = 1
        calls = driver.finish(driver.start(recording, sdk, "--pauses", "4"))
        check(process, recording, calls)
        sent = sum(len(exchange.events) for exchange in recording.accepted(fresh=False))
        assert sent > calls["gate"] + calls["custom"], "something was sent twice"


@pytest.mark.parametrize("sdk", SDKS)
def test_a_restart_in_the_middle_loses_nothing_acknowledged(tmp_path: Path, driver: Driver, sdk: str) -> None:
    with router(tmp_path / "data") as process, recorder(process.url.removeprefix("http://"), SPECS) as recording:
        running = driver.start(recording, sdk, "--pauses", "8", "--patient")
        driver.wait_for(running, 3)
        assert process.stop() == 0
        process.start()
        check(process, recording, driver.finish(running))
