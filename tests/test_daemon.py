"""The daemon as a process: it says when it serves, keeps what it acknowledged, and stops in order."""

import contextlib
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from router.sse import Parser
from tests.process import RouterProcess, router

BODY = b'[{"kind":"custom","key":"k%d","creationDate":1700000000000,"contextKeys":{"user":"u"}}]'


def post(process: RouterProcess, number: int = 0) -> str:
    """Post one event; returns its offsets."""
    request = urllib.request.Request(
        f"{process.url}/bulk", BODY % number, {"Authorization": "sdk-demo", "Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 202
        return str(answer.headers["Router-Offsets"])


def get(process: RouterProcess, path: str) -> dict[str, object]:
    with urllib.request.urlopen(f"{process.url}{path}", timeout=10) as answer:
        found: dict[str, object] = json.load(answer)
        return found


def names(process: RouterProcess, count: int) -> list[str]:
    """Keys of the first `count` events on the stream."""
    request = urllib.request.Request(
        f"{process.url}/events?from=earliest", headers={"Authorization": "api_key api-demo"}
    )
    parser, found = Parser(), list[str]()
    with urllib.request.urlopen(request, timeout=10) as answer:
        while len(found) < count:
            found.extend(json.loads(message.data)["key"] for message in parser.feed(answer.read1()))
    return found


def test_what_was_acknowledged_is_there_after_an_orderly_stop(tmp_path: Path) -> None:
    with router(tmp_path / "data") as process:
        assert [post(process, n) for n in range(3)] == ["0-0", "1-1", "2-2"]
        epoch = get(process, "/health")["environments"]
        assert process.stop() == 0
        process.start()
        assert post(process, 3) == "3-3"
        assert names(process, 4) == ["k0", "k1", "k2", "k3"]
        again = get(process, "/health")["environments"]
        assert isinstance(epoch, list)
        assert isinstance(again, list)
        assert epoch[0]["epoch"] == again[0]["epoch"]


def test_a_stream_ends_cleanly_when_the_router_stops(tmp_path: Path) -> None:
    with router(tmp_path / "data") as process:
        post(process)
        request = urllib.request.Request(f"{process.url}/events", headers={"Authorization": "api_key api-demo"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            begun = time.monotonic()
            assert process.stop() == 0
            assert time.monotonic() - begun < 5
            data = answer.read()  # would raise on a chunked body that was cut
        assert b"retry: " in data


def test_a_reader_that_never_reads_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    config = tmp_path / "router.toml"
    config.write_text(
        '[server]\ndrain_timeout = "1s"\n[[environment]]\nproject = "p"\nkey = "e"\nsdk_keys = ["sdk-demo"]\n'
        '[[token]]\nname = "t"\ntoken = "api-demo"\nscopes = ["stream", "admin"]\n'
    )
    process = RouterProcess(tmp_path / "data", config)
    process.url = "http://127.0.0.1:0"
    process.start()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", process.port))
        client.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\nAuthorization: api_key api-demo\r\n\r\n")
        big = b'[{"kind":"custom","key":"k","creationDate":1,"data":"' + b"x" * 500_000 + b'"}]'
        for _ in range(10):
            request = urllib.request.Request(f"{process.url}/bulk", big, {"Authorization": "sdk-demo"})
            urllib.request.urlopen(request, timeout=10).close()
        begun = time.monotonic()
        assert process.stop(timeout=20) == 0
        assert time.monotonic() - begun < 8


def test_a_full_set_of_actors_runs(tmp_path: Path) -> None:
    with router(tmp_path / "data") as process:
        root = get(process, "/health/actors")

        def flat(actor: dict[str, object]) -> list[tuple[object, object]]:
            children = actor["children"]
            assert isinstance(children, list)
            return [(actor["name"], actor["state"]), *(pair for child in children for pair in flat(child))]

        assert [name for name, _ in flat(root)] == [
            "root", "core", "committer", "environments", "default/production", "default/production/partition",
                "default/production/indexer", "default/production/forwards", "sweeper", "trimmer", "config",
                "http", "notifier",
        ]  # fmt: skip
        assert {state for _, state in flat(root)} == {"running"}


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/health"])
def test_it_is_healthy(tmp_path: Path, path: str) -> None:
    with router(tmp_path / "data") as process:
        assert get(process, path)


def test_it_tells_systemd_when_it_serves_and_when_it_drains(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(10)
        with router(tmp_path / "data", environ={"NOTIFY_SOCKET": str(tmp_path / "notify")}) as process:
            assert listener.recv(1000).startswith(b"EXTEND_TIMEOUT_USEC="), "a recovery may take its time"
            assert listener.recv(1000) == b"READY=1\nSTATUS=serving 1 environments"
            assert process.stop() == 0
            while not (heard := listener.recv(1000)).startswith(b"STOPPING"):
                assert heard.startswith(b"STATUS=1 environments"), "the line for people is renewed meanwhile"
            assert heard == b"STOPPING=1\nSTATUS=draining"


def test_no_credential_is_ever_in_the_log(tmp_path: Path) -> None:
    """Good keys and bad ones, in headers, paths, queries and bodies, with every kind of answer."""
    requests = [
        ("/bulk", {"Authorization": "sdk-demo"}, b"[]"),
        ("/bulk", {"Authorization": "sdk-wrong-key"}, b"[]"),
        ("/bulk", {"Authorization": "sdk-demo"}, b"not json"),
        ("/events/bulk/demo-client-side-id", {}, BODY % 1),
        ("/events/bulk/no-such-client-id", {}, BODY % 1),
        ("/v1/rgstr?k=client-demo", {}, b'{"events":[{"eventName":"e"}]}'),
        ("/v1/log_event", {"statsig-api-key": "secret-wrong-key"}, b"{}"),
        ("/v1/download_config_specs/secret-demo.json", {}, None),
        ("/events?token=api-wrong-key", {}, None),
        ("/quarantine?token=api-demo", {}, None),
        ("/no/such/secret-demo", {}, None),
    ]
    with router(tmp_path / "data") as process:
        for path, headers, body in requests:
            request = urllib.request.Request(process.url + path, body, headers)
            with contextlib.suppress(urllib.error.HTTPError):
                urllib.request.urlopen(request, timeout=10).close()
        assert process.stop() == 0
        log = process.errors.read_text()
    assert "drained" in log
    for secret in ("sdk-", "secret-", "api-", "client-demo", "demo-client-side-id", "no-such-client-id"):
        assert secret not in log


def test_a_demo_keeps_nothing() -> None:
    before = {path.name for path in Path(tempfile.gettempdir()).glob("router-demo-*")}
    command = [sys.executable, "-m", "router", "serve", "--demo", "--bind", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        during = {path.name for path in Path(tempfile.gettempdir()).glob("router-demo-*")}
        process.terminate()
        assert process.wait(30) == 0
    after = {path.name for path in Path(tempfile.gettempdir()).glob("router-demo-*")}
    assert len(during - before) >= 1
    assert not ((during - before) & after)
