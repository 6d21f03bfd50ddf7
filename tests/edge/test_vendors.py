"""What vendors get of a router is what their SDKs sent, whatever goes wrong in between."""

import collections
import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from router.redaction import Redactor
from tests.dialects.fixtures import names, requests
from tests.edge.routers import TOKEN, forwards, post, post_custom, running, until
from tests.edge.vendor import EVERY, Failure, Vendor, launchdarkly, statsig, vendor
from tests.process import RouterProcess
from tests.sdk.drive_statsig import SPECS
from tests.sdk.recorder import Exchange, inflated, recorder
from tests.wire.test_fixtures import send

REDACT = Redactor(["secret-demo"])  # the one thing that the router changes in what it was sent
SAME_HEADERS = (
    "authorization",
    "x-launchdarkly-event-schema",
    "x-launchdarkly-payload-id",
    "x-launchdarkly-tags",
    "x-launchdarkly-wrapper",
    "x-launchdarkly-instance-id",
    "x-launchdarkly-user-agent",
    "statsig-api-key",
    "statsig-sdk-type",
    "statsig-sdk-version",
    "statsig-server-session-id",
    "user-agent",
)


def forward(to: str, url: str, *more: str) -> str:
    return "\n".join((f'to = "{to}"', f'url = "{url}"', 'name = "vendor"', *more))


def troubles(failures: Iterable[Failure]) -> list[Failure]:
    """Each failure, with a request in between that is taken, so that the waiting does not add up."""
    return [step for failure in failures for step in (failure, "none")]


def idle(edge: RouterProcess) -> bool:
    stands = forwards(edge.port)["vendor"]
    return stands["lag"] == 0 and stands["state"] == "idle"


def canonical(exchange: Exchange) -> tuple[object, ...]:
    """What must be equal of a request that an SDK sent and one that the vendor got."""
    headers = exchange.headers
    own = "statsig" if "statsig-api-key" in headers else "launchdarkly"
    kept = {name: headers[name] for name in SAME_HEADERS if name in headers}
    if own == "statsig":
        kept.pop("user-agent", None)
        body = json.loads(exchange.body)
        others = {name: body.get(name) for name in ("statsigMetadata", "user")} if isinstance(body, dict) else {}
        members = REDACT(json.dumps(others, sort_keys=True).encode())
        return exchange.path.split("?")[0], sorted(kept.items()), tuple(map(REDACT, exchange.events)), members
    if "x-launchdarkly-payload-id" in kept:
        kept["x-launchdarkly-payload-id"] = kept["x-launchdarkly-payload-id"].lower()
    return exchange.path, sorted(kept.items()), exchange.body


@pytest.mark.parametrize("options", [(), ("--compress",), ("--diagnostics",)], ids=str)
def test_launchdarkly_gets_what_its_sdk_sent(tmp_path: Path, options: tuple[str, ...]) -> None:
    with (
        vendor(launchdarkly) as upstream,
        running(tmp_path, "edge", forward("launchdarkly", upstream.url)) as edge,
        recorder(edge.url.removeprefix("http://")) as recording,
    ):
        upstream.plan = troubles(EVERY)
        command = [sys.executable, "-m", "tests.sdk.drive_launchdarkly", recording.url, *options, "--pauses", "14"]
        subprocess.run(command, capture_output=True, timeout=60, check=True)
        until(lambda: idle(edge), "all is forwarded", timeout=60)
        assert not upstream.faults
        assert not upstream.plan, "every failure came up"
        assert sorted(map(canonical, upstream.kept)) == sorted(map(canonical, recording.accepted()))
        assert upstream.repeats == 1, "what was kept though the answer was lost came again, under the same id"


@pytest.mark.parametrize("sdk", ["legacy", "core"])
def test_statsig_gets_what_its_sdk_sent(tmp_path: Path, sdk: str) -> None:
    with (
        vendor(statsig) as upstream,
        running(tmp_path, "edge", forward("statsig", f"{upstream.url}/v1")) as edge,
        recorder(edge.url.removeprefix("http://"), SPECS) as recording,
    ):
        upstream.plan = troubles(failure for failure in EVERY if failure != "lost")
        command = [sys.executable, "-m", "tests.sdk.drive_statsig", recording.url, sdk, "--pauses", "14"]
        subprocess.run(command, capture_output=True, timeout=60, check=True)
        until(lambda: idle(edge), "all is forwarded", timeout=60)
        assert not upstream.faults
        assert sorted(map(canonical, upstream.kept)) == sorted(map(canonical, recording.accepted()))


@pytest.mark.parametrize("name", [name for name in names() if "nocors" not in name])
def test_recordings_go_on_as_they_came(tmp_path: Path, name: str) -> None:
    to: str = "statsig" if "statsig" in name else "launchdarkly"
    check: Callable[[Exchange], None] = statsig if to == "statsig" else launchdarkly
    with vendor(check) as upstream, running(tmp_path, "edge", forward(to, upstream.url)) as edge:
        expected: collections.Counter[bytes] = collections.Counter()
        for recorded in requests(name):
            if recorded.method == "POST":
                answer = send(edge, recorded, chunked=False)
                assert answer.status == 202
                if not answer.headers["Router-Duplicate"]:
                    body = inflated(dict(recorded.headers), recorded.body)
                    expected.update(map(REDACT, Exchange(recorded.target, {}, body, 202, {}).events))
        until(lambda: idle(edge), "all is forwarded")
        assert not upstream.faults
        if name.startswith("edge-statsig"):
            assert set(upstream.events) == set(expected), "a bigger batch with the same events again"
        else:
            assert collections.Counter(upstream.events) == expected


def test_a_vendor_that_does_not_know_the_key_parks_the_forward(tmp_path: Path) -> None:
    with vendor(launchdarkly) as upstream, running(tmp_path, "edge", forward("launchdarkly", upstream.url)) as edge:
        upstream.revoked = True
        assert post_custom(edge.port, ["a", "b"])
        until(lambda: forwards(edge.port)["vendor"]["state"] == "parked", "the forward is parked")
        assert "does not know the key" in str(forwards(edge.port)["vendor"]["reason"])
        assert post_custom(edge.port, ["c"]), "events still come in"
        assert upstream.answered.count(401) <= 4, "no more than the requests that were in flight"
        upstream.revoked = False
        assert edge.stop() == 0
        edge.start()
        until(lambda: idle(edge), "a restart looks again at once")
        assert len(upstream.events) == 3


def test_what_is_too_large_is_split(tmp_path: Path) -> None:
    with vendor(launchdarkly) as upstream, running(tmp_path, "edge", forward("launchdarkly", upstream.url)) as edge:
        upstream.limit = 2000
        assert post_custom(edge.port, [f"event-{n}" for n in range(100)])
        until(lambda: idle(edge), "all is forwarded")
        keys = sorted(json.loads(event)["key"] for event in upstream.events)
        assert keys == sorted(f"event-{n}" for n in range(100))
        stands = forwards(edge.port)["vendor"]
        assert int(str(stands["splits"])) >= 4
        assert (stands["delivered"], stands["set_aside"]) == (100, 0)


def test_an_event_that_the_vendor_refuses_is_set_aside_and_its_neighbours_go_on(tmp_path: Path) -> None:
    with vendor(launchdarkly) as upstream, running(tmp_path, "edge", forward("launchdarkly", upstream.url)) as edge:
        upstream.poison = b"event-13"
        assert post_custom(edge.port, [f"event-{n:02}" for n in range(20)])
        until(lambda: idle(edge), "all is dealt with")
        assert len(upstream.events) == 19
        stands = forwards(edge.port)["vendor"]
        assert (stands["delivered"], stands["set_aside"]) == (19, 1)
        request = urllib.request.Request(f"{edge.url}/quarantine", headers={"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            items = json.load(answer)["items"]
        assert len(items) == 1
        assert "vendor refuses it: 400" in items[0]["reason"]


def test_a_new_forward_to_a_vendor_begins_with_what_comes_from_then_on(tmp_path: Path) -> None:
    with vendor(launchdarkly) as upstream:
        with running(tmp_path, "edge") as edge:
            assert post_custom(edge.port, ["before"])
            assert edge.stop() == 0
        with running(tmp_path, "edge", forward("launchdarkly", upstream.url)) as edge:
            assert post_custom(edge.port, ["after"])
            until(lambda: idle(edge), "all is forwarded")
            assert [json.loads(event)["key"] for event in upstream.events] == ["after"]


def test_mobile_and_browser_events_go_where_theirs_go(tmp_path: Path) -> None:
    event = b'[{"kind":"custom","key":"k","creationDate":1700000000000,"contextKeys":{"user":"u"}}]'
    with vendor(launchdarkly) as upstream, running(tmp_path, "edge", forward("launchdarkly", upstream.url)) as edge:
        json_type = {"Content-Type": "application/json"}
        assert post(edge.port, "/mobile", event, {"Authorization": "mob-demo", **json_type}).status == 202
        assert post(edge.port, "/events/bulk/demo-client-side-id", event, json_type).status == 202
        until(lambda: len(upstream.kept) == 2, "both are forwarded")
        assert sorted(exchange.path for exchange in upstream.kept) == ["/events/bulk/demo-client-side-id", "/mobile"]
        assert not upstream.faults


def test_faults_are_noticed() -> None:
    """The stand-in is no rubber stamp."""
    stand_in = Vendor(launchdarkly)
    good = {"content-type": "application/json", "authorization": "sdk-other"}
    assert stand_in.take(Exchange("/bulk", good, b"[]", 202, {}))[0] == 400
    assert stand_in.faults
