"""Webhooks against a real router: who may post, what becomes of it, and that a second delivery changes nothing."""

import hmac
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.process import RouterProcess, router
from tests.sdk import insights

CONFIG = """
[server]
bind = ["127.0.0.1:0"]
[[environment]]
project = "default"
key = "production"
[[environment]]
project = "default"
key = "staging"
[[environment]]
project = "other"
key = "production"
[[token]]
name = "all"
token = "api-demo"
scopes = ["insights", "stream", "admin"]
[[token]]
name = "one"
token = "api-one"
scopes = ["insights"]
environments = ["default/staging"]
[[token]]
name = "reader"
token = "api-reader"
scopes = ["stream"]
[[webhook]]
vendor = "launchdarkly"
project = "default"
secret = "whsec-demo"
[[webhook]]
vendor = "launchdarkly"
project = "other"
secret = "whsec-other"
[[webhook]]
vendor = "statsig"
project = "default"
secret = "whsec-demo"
[[webhook]]
vendor = "generic"
project = "default"
secret = "whsec-demo"
"""


@pytest.fixture
def process(tmp_path: Path) -> Iterator[RouterProcess]:
    config = tmp_path / "router.toml"
    config.write_text(CONFIG)
    with router(tmp_path / "data", config) as running:
        yield running


def wait_indexed(url: str) -> None:
    """Of all environments."""
    for _ in range(1000):
        _, body = insights.get(f"{url}/health")
        if all(each["indexed"] == each["head"] for each in body["environments"]):
            return
    raise AssertionError(body)


def events(url: str, environment: str = "default/production") -> list[dict[str, Any]]:
    wait_indexed(url)
    project, key = environment.split("/")
    query = f"projectKey={project}&environmentKey={key}"
    status, body = insights.get(f"{url}/api/v2/engineering-insights/flag-events?{query}")
    assert status == 200
    found: list[dict[str, Any]] = body["items"]
    return found


def generic(url: str, *changes: dict[str, object], secret: bytes = b"whsec-demo") -> tuple[int, bytes]:
    body = json.dumps({"data": changes}).encode()
    signature = hmac.new(secret, body, "sha256").hexdigest()
    return insights.post(f"{url}/webhooks/generic", body, {"X-Hub-Signature-256": f"sha256={signature}"})


def test_a_change_goes_to_the_environments_that_it_was_made_in(process: RouterProcess) -> None:
    url, when = process.url, insights.now()
    assert insights.announce_launchdarkly(url, "one", when) == (200, b'{"changes":1}')
    everywhere = [{"action": "createFlag", "resource": "proj/default:env/*:flag/all"}]
    assert insights.announce_launchdarkly(url, "all", when + 1, accesses=everywhere) == (200, b'{"changes":2}')
    assert insights.announce_statsig(url, "gate", when + 2) == (200, b'{"changes":2}')
    change = {"action": "updated", "flag": "own", "change_id": 1, "environment": "staging", "created_at": when + 3}
    assert generic(url, change) == (200, b'{"changes":1}')
    assert [event["flagKey"] for event in events(url)] == ["gate", "all", "one"]
    assert [event["flagKey"] for event in events(url, "default/staging")] == ["own", "gate", "all"]
    assert events(url, "other/production") == []


def test_a_second_delivery_changes_nothing(process: RouterProcess) -> None:
    url, when = process.url, insights.now()
    for _ in range(2):
        assert insights.announce_launchdarkly(url, "flag", when)[0] == 200
        assert insights.announce_statsig(url, "gate", when)[0] == 200
        assert generic(url, {"action": "updated", "flag": "own", "change_id": 1, "created_at": when})[0] == 200
    first = events(url)
    assert len(first) == 3
    _, body = insights.get(f"{url}/health")
    assert body["environments"][0]["head"] == 3
    assert process.stop() == 0
    process.start()
    assert insights.announce_launchdarkly(url, "flag", when)[0] == 200
    assert events(url) == first


def test_a_secret_is_of_one_project(process: RouterProcess) -> None:
    url = process.url
    body = json.dumps(
        {
            "_id": "1",
            "kind": "flag",
            "accesses": [{"action": "updateOn", "resource": "proj/other:env/production:flag/f"}],
        }
    ).encode()
    for secret, status, changes in ((b"whsec-demo", 200, 0), (b"whsec-other", 200, 1), (b"whsec-else", 401, 0)):
        signature = hmac.new(secret, body, "sha256").hexdigest()
        found = insights.post(f"{url}/webhooks/launchdarkly", body, {"X-LD-Signature": signature})
        assert found[0] == status
        assert status != 200 or found[1] == b'{"changes":%d}' % changes
    assert [event["flagKey"] for event in events(url, "other/production")] == ["f"]


@pytest.mark.parametrize("vendor", ["launchdarkly", "statsig", "generic"])
def test_without_a_signature_nothing_is_taken(process: RouterProcess, vendor: str) -> None:
    status, body = insights.post(f"{process.url}/webhooks/{vendor}", b'{"data":[]}', {})
    assert status == 401
    assert json.loads(body)["code"] == "unauthorized"


def test_what_cannot_be_read_is_refused_with_a_reason(process: RouterProcess) -> None:
    status, body = generic(process.url, {"action": "updated", "flag": "own"})
    assert status == 400
    assert json.loads(body) == {
        "code": "invalid_request",
        "message": "data[0] has no change_id: a second delivery could not be told from another change",
    }


def test_statsigs_handshake(process: RouterProcess) -> None:
    asked = b'{"data":{"event":"url_verification","verification_code":"c"}}'
    assert insights.post(f"{process.url}/webhooks/statsig", asked, {}) == (200, b'{"verification_code":"c"}')


def test_a_change_is_on_the_stream_as_it_came_without_our_secrets(process: RouterProcess) -> None:
    when = insights.now()
    assert insights.announce_launchdarkly(process.url, "flag", when, comment="by api-reader")[0] == 200
    request = urllib.request.Request(
        f"{process.url}/events?from=earliest&project=default&environment=production",
        headers={"Authorization": "api-demo"},
    )
    with urllib.request.urlopen(request, timeout=10) as stream:
        data = next(line for line in stream if line.startswith(b"data:"))
    event = json.loads(data.removeprefix(b"data:"))
    assert event["accesses"][0]["action"] == "updateOn"
    assert event["comment"].startswith("by [redacted:")


def test_who_may_ask(process: RouterProcess) -> None:
    path = f"{process.url}/api/v2/engineering-insights/flag-events?projectKey=default&environmentKey="
    assert insights.get(f"{path}staging", "Bearer api-one")[0] == 200
    for environment, token, status in (
        ("production", "api-one", 403),
        ("nowhere", "api-one", 403),
        ("nowhere", "api-demo", 404),
        ("production", "api-reader", 403),
        ("production", "sdk-demo", 401),
        ("production", "", 401),
    ):
        found, body = insights.get(path + environment, token)
        assert found == status
        assert set(body) == {"code", "message"}
    when = insights.now()
    assert insights.announce_launchdarkly(process.url, "one", when)[0] == 200
    (event,) = events(process.url)
    one = f"{process.url}/api/v2/engineering-insights/flag-events/{event['id']}"
    assert insights.get(one)[0] == 200
    assert insights.get(one, "api-one")[0] == 404
