"""Each client connects behind what retention keeps, reads characters split anywhere among heartbeats, and resumes by
itself after the router was killed: a gap, then every event once, in order, as it was sent."""

import http.client
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import npm
from tests.conformance.slicer import slicer
from tests.process import RouterProcess, router

CONFIG = """
[server]
bind = ["127.0.0.1:0"]
heartbeat = "50ms"
[storage]
sweep_interval = "50ms"
[[environment]]
project = "default"
key = "production"
retention_age = "{age}"
sdk_keys = ["sdk-demo"]
[[token]]
name = "all"
token = "api-demo"
scopes = ["stream", "admin"]
environments = ["*"]
"""
TEXT = 'Zoë 😀 \u2028 \\ "quoted" 你好'
LAUNCHDARKLY = """
import sys
from ld_eventsource import SSEClient
from ld_eventsource.actions import Event
from ld_eventsource.config import ConnectStrategy, ErrorStrategy
client = SSEClient(
    ConnectStrategy.http(sys.argv[1], headers={"Authorization": "api_key api-demo"}),
    error_strategy=ErrorStrategy.always_continue(), initial_retry_delay=0.2,
)
for event in client.events:
    print(event.last_event_id, event.event, event.data, sep="\\t", flush=True)
"""
HTTPX = """
import sys, time, httpx2
sys.modules["httpx"] = httpx2  # the same interface under its present name
from httpx_sse import connect_sse
last = None
while True:
    headers = {"Authorization": "Bearer api-demo"} | ({"Last-Event-ID": last} if last else {})
    try:
        with httpx2.Client(timeout=5) as client, connect_sse(client, "GET", sys.argv[1], headers=headers) as source:
            for event in source.iter_sse():
                last = event.id or last
                if event.data:
                    print(event.id, event.event, event.data, sep="\\t", flush=True)
    except httpx2.HTTPError:
        pass
    time.sleep(0.2)
"""
NODE = """
const { EventSource } = require('eventsource');
const source = new EventSource(process.argv[1], {
  fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, Authorization: 'Bearer api-demo' } }),
});
const show = (event) => console.log([event.lastEventId, event.type, event.data].join('\\t'));
source.onmessage = show;
for (const name of ['gap', 'reset', 'busy']) source.addEventListener(name, show);
"""


def post(process: RouterProcess, *names: str) -> None:
    """One custom event for each name."""
    events = [
        {"kind": "custom", "key": name, "creationDate": 1, "contextKeys": {"user": "u"}, "data": TEXT} for name in names
    ]
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=10)
    body = json.dumps(events, ensure_ascii=False).encode()
    connection.request("POST", "/bulk", body, {"Authorization": "sdk-demo"})
    assert connection.getresponse().status == 202
    connection.close()


def environment(process: RouterProcess) -> dict[str, object]:
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=10)
    connection.request("GET", "/health")
    found: dict[str, object] = json.loads(connection.getresponse().read())["environments"][0]
    connection.close()
    return found


def trimmed(folder: Path) -> tuple[RouterProcess, str]:
    """A router whose retention has taken events 0 to 2 and keeps what comes now, and its epoch."""
    config = folder / "router.toml"
    config.write_text(CONFIG.format(age="100ms"))
    process = RouterProcess(folder / "data", config)
    process.start()
    post(process, "a", "b", "c")
    limit = time.monotonic() + 20
    while environment(process)["low"] != 3:
        assert time.monotonic() < limit
        time.sleep(0.05)
    epoch = str(environment(process)["epoch"])
    process.stop()
    config.write_text(CONFIG.format(age="7d"))
    process.start()
    return process, epoch


def command(client: str) -> list[str]:
    if client == "eventsource (npm)":
        try:
            modules = npm.installed(Path(__file__).with_name("package.json"))
        except npm.Missing as error:
            pytest.skip(str(error))
        return ["env", f"NODE_PATH={modules}", "node", "-e", NODE]
    return [sys.executable, "-c", LAUNCHDARKLY if client == "launchdarkly-eventsource" else HTTPX]


@pytest.mark.parametrize("client", ["launchdarkly-eventsource", "httpx-sse", "eventsource (npm)"])
def test_a_client_sees_a_gap_and_then_everything_once(tmp_path: Path, client: str) -> None:
    run = command(client)
    process, epoch = trimmed(tmp_path)
    try:
        with slicer(process.port) as port:
            post(process, "d", "e", "f")
            url = f"http://127.0.0.1:{port}/events?Last-Event-ID={epoch}-0"
            if client == "eventsource (npm)":  # its own header comes later: the query would win for ever
                url = f"http://127.0.0.1:{port}/events?from={epoch}-0"
            reader = subprocess.Popen([*run, url], stdout=subprocess.PIPE, text=True, encoding="utf-8")
            assert reader.stdout is not None
            try:
                rows = [reader.stdout.readline().rstrip("\n").split("\t") for _ in range(4)]
                process.kill()
                process.start()
                post(process, "g", "h")
                rows += [reader.stdout.readline().rstrip("\n").split("\t") for _ in range(2)]
            finally:
                reader.kill()
                reader.wait()
                reader.stdout.close()
    finally:
        if process.running:
            process.kill()
    gap, *messages = rows
    assert gap[:2] == [f"{epoch}-2", "gap"]
    assert json.loads(gap[2]) == {"from": f"{epoch}-0", "to": f"{epoch}-2", "lost": 2, "reason": "retention"}
    assert [row[:2] for row in messages] == [[f"{epoch}-{offset}", "message"] for offset in range(3, 8)]
    assert [json.loads(row[2])["key"] for row in messages] == ["d", "e", "f", "g", "h"]
    assert {json.loads(row[2])["data"] for row in messages} == {TEXT}


def test_the_header_wins_over_the_query(tmp_path: Path) -> None:
    """A client that was given a place in its address sends a newer one in a header when it comes back."""
    with router(tmp_path / "data") as process:
        post(process, "a", "b", "c")
        epoch = environment(process)["epoch"]
        connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=10)
        headers = {"Authorization": "Bearer api-demo", "Last-Event-ID": f"{epoch}-1", "Accept": "application/x-ndjson"}
        connection.request("GET", f"/events?Last-Event-ID={epoch}-0&until=now", headers=headers)
        assert [json.loads(line)["key"] for line in connection.getresponse().read().split(b"\n") if line] == ["c"]
        connection.close()
