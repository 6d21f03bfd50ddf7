"""A request that comes again is stored once: at the same moment, and after a crash in between."""

import http.client
import threading
from pathlib import Path

import pytest

from tests.crash.load import key_of, read_all
from tests.crash.test_kill import head
from tests.process import RouterProcess, router

BULK = b'[{"kind":"custom","key":"a","creationDate":1,"contextKeys":{"user":"u"}},{"kind":"identify","creationDate":1}]'
LOG_EVENT = b'{"events":[{"eventName":"a","time":1700000000000},{"eventName":"b","time":1700000000000}]}'
REQUESTS = {
    "launchdarkly": ("/bulk", BULK, {"Authorization": "sdk-demo", "X-LaunchDarkly-Payload-ID": "7D0F-1"}),
    "statsig": ("/v1/log_event", LOG_EVENT, {"statsig-api-key": "secret-demo"}),
}


def send(process: RouterProcess, vendor: str) -> tuple[int, str, str | None]:
    """Status, offsets, and whether it was recognised as a retry."""
    path, body, headers = REQUESTS[vendor]
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=20)
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers["Router-Offsets"], answer.headers["Router-Duplicate"]


@pytest.mark.parametrize("vendor", REQUESTS)
def test_a_retry_after_a_crash_is_answered_as_the_first_time(tmp_path: Path, vendor: str) -> None:
    with router(tmp_path / "data") as process:
        assert send(process, vendor) == (202, "0-1", None)
        process.kill()
        process.start()
        assert send(process, vendor) == (202, "0-1", "true")
        process.stop()
        process.start()
        assert send(process, vendor) == (202, "0-1", "true")
        assert head(process) == 2


@pytest.mark.parametrize("vendor", REQUESTS)
def test_copies_within_milliseconds_are_stored_once(tmp_path: Path, vendor: str) -> None:
    """Chromium resends by itself, two to four times, on other connections."""
    with router(tmp_path / "data") as process:
        answers: list[tuple[int, str, str | None]] = []
        threads = [threading.Thread(target=lambda: answers.append(send(process, vendor))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(answers, key=str) == [(202, "0-1", "true")] * 7 + [(202, "0-1", None)]
        assert len(read_all(process.port, head(process))) == 2


def test_a_diagnostic_that_comes_again_on_the_analytics_path_is_stored_once(tmp_path: Path) -> None:
    """The Node SDK retries a failed diagnostic on /bulk, as a bare object without any id (launchdarkly.md 1.8)."""
    body = (
        b'{"kind":"diagnostic-init","id":{"diagnosticId":"d-1","sdkKeySuffix":"k-demo"},"creationDate":1767225599000}'
    )
    with router(tmp_path / "data") as process:
        offsets = []
        for path in ("/diagnostic", "/bulk"):
            connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=20)
            connection.request("POST", path, body, {"Authorization": "sdk-demo"})
            answer = connection.getresponse()
            answer.read()
            connection.close()
            offsets.append((answer.status, answer.headers["Router-Offsets"], answer.headers["Router-Duplicate"]))
        assert offsets == [(202, "0-0", None), (202, "0-0", "true")]
        assert head(process) == 1


def test_batches_of_thousands_and_bodies_of_megabytes_are_taken(tmp_path: Path) -> None:
    """Server cores send 2,000 events at once, session recordings are ten megabytes."""
    many = ",".join(f'{{"eventName":"e{n}","time":1700000000000}}' for n in range(3000))
    large = '{"eventName":"statsig::session_recording","metadata":{"rrweb":"' + "x" * (10 * 1024 * 1024 - 200) + '"}}'
    with router(tmp_path / "data") as process:
        for body, count in ((many, 3000), (large, 1)):
            connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=30)
            connection.request(
                "POST", "/v1/log_event", f'{{"events":[{body}]}}'.encode(), {"statsig-api-key": "secret-demo"}
            )
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (202, b'{"success":true}')
            first, last = answer.headers["Router-Offsets"].split("-")
            assert int(last) - int(first) + 1 == count
            connection.close()
        assert key_of(read_all(process.port, head(process))[2999]) == "e2999"
