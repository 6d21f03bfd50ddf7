"""Every request recorded from an official SDK, posted to a real router as it was: 202, and out again as sent."""

import http.client
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.redaction import Redactor
from router.sse import Parser
from tests.dialects.fixtures import Recorded, names, requests
from tests.process import RouterProcess, router
from tests.sdk.recorder import Exchange, inflated

LAUNCHDARKLY = {"authorization": "sdk-demo"}
SKIPPED = {"host", "content-length", "transfer-encoding", "connection"}


@pytest.fixture
def process(tmp_path: Path) -> Iterator[RouterProcess]:
    with router(tmp_path / "data") as running:
        yield running


def mapped(recorded: Recorded) -> tuple[str, dict[str, str]]:
    """Target and headers with the recording's placeholder keys replaced by the demo's."""
    headers = {name: value for name, value in recorded.headers.items() if name not in SKIPPED}
    if "authorization" in headers:
        headers["authorization"] = "sdk-demo"
    if "statsig-api-key" in headers:
        headers["statsig-api-key"] = "secret-demo" if "secret" in headers["statsig-api-key"] else "client-demo"
    path, question, query = recorded.target.partition("?")
    parts = path.split("/")
    if parts[1] == "events":
        environment = parts[3]
        path = path.replace(environment, "demo-client-side-id")
    pairs = ["k=client-demo" if pair.startswith("k=") else pair for pair in query.split("&")]
    return path + question + "&".join(pairs), headers


def send(process: RouterProcess, recorded: Recorded, *, chunked: bool) -> http.client.HTTPResponse:
    target, headers = mapped(recorded)
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=20)
    body = (recorded.body[n : n + 16384] for n in range(0, len(recorded.body), 16384)) if chunked else recorded.body
    connection.request(recorded.method, target, body or None, headers, encode_chunked=chunked)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def stored(process: RouterProcess) -> list[bytes]:
    with urllib.request.urlopen(f"{process.url}/health", timeout=10) as answer:
        count = int(json.load(answer)["environments"][0]["head"])
    headers = {"Authorization": "api_key api-demo"}
    request = urllib.request.Request(f"{process.url}/events?from=earliest", headers=headers)
    parser, found = Parser(), list[bytes]()
    with urllib.request.urlopen(request, timeout=20) as answer:
        while len(found) < count:
            found.extend(message.data.encode() for message in parser.feed(answer.read1()))
    return found


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("name", names())
def test_a_recording_is_taken_and_comes_out_as_sent(process: RouterProcess, name: str, chunked: bool) -> None:
    redact = Redactor(["secret-demo"])
    expected: list[bytes] = []
    for recorded in requests(name):
        with_body = recorded.method == "POST"
        answer = send(process, recorded, chunked=chunked and with_body)
        assert answer.status in ((202,) if with_body else (200, 204)), (recorded.target, answer.status)
        assert answer.headers["Date"]
        if "origin" in recorded.headers:
            assert answer.headers["Access-Control-Allow-Origin"] == recorded.headers["origin"]
        if "/v1/" in recorded.target and with_body:
            assert answer.headers["Content-Type"] == "application/json"
        if with_body and not answer.headers["Router-Duplicate"]:
            body = inflated(dict(recorded.headers), recorded.body)
            expected.extend(Exchange(recorded.target, {}, body, 202, {}).events)
    found = stored(process)
    if name.startswith("edge-statsig") or "nocors" in name:
        # Events that come again in a bigger batch are stored once; those of the image fallback are in the query.
        assert len(found) == len(set(found))
        assert not expected or set(found) == {redact(event) for event in expected}
        return
    assert found == [redact(event) for event in expected]
