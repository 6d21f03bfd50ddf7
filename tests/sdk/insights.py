"""Flag changes in and flag events out, as a vendor and an API client would."""

import hmac
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

SECRET = b"whsec-demo"


def now() -> int:
    return time.time_ns() // 1_000_000


def post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    request = urllib.request.Request(url, body, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def announce_launchdarkly(url: str, flag: str, when: int, **more: object) -> tuple[int, bytes]:
    resource = f"proj/default;web:env/production:flag/{flag};ui"
    entry: dict[str, object] = {
        "_id": f"65f0aa00bb11cc22{when % 16**8:08x}",
        "date": when,
        "kind": "flag",
        "name": flag.title(),
        "titleVerb": "turned on the flag",
        "accesses": [{"action": "updateOn", "resource": resource}],
        "member": {"_id": "65f0aa00bb11cc22dd33ee01", "email": "kim@shop.test", "firstName": "Kim", "lastName": "Ek"},
    }
    body = json.dumps(entry | more).encode()
    signature = hmac.new(SECRET, body, "sha256").hexdigest()
    return post(f"{url}/webhooks/launchdarkly", body, {"X-LD-Signature": signature})


def announce_statsig(url: str, gate: str, when: int, **more: object) -> tuple[int, bytes]:
    metadata = {
        "type": "Gate",
        "name": gate,
        "action": "updated",
        "description": "- Updated Rule everyone rollout from 0.00% to 50.00%",
        "environments": "production,staging",
    }
    item = {
        "user": {"name": "Ana Ek", "email": "ana@x.test"},
        "timestamp": when,
        "eventName": "statsig::config_change",
        "metadata": metadata | more,
    }
    body = json.dumps({"data": [item]}).encode()
    stamp = str(now())
    signature = hmac.new(SECRET, f"v0:{stamp}:".encode() + body, "sha256").hexdigest()
    headers = {"X-Statsig-Request-Timestamp": stamp, "X-Statsig-Signature": f"v0={signature}"}
    return post(f"{url}/webhooks/statsig", body, headers)


def get(url: str, token: str = "api-demo") -> tuple[int, Any]:
    request = urllib.request.Request(url, headers={"Authorization": token})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def flag_events(url: str, **parameters: object) -> dict[str, Any]:
    query = urllib.parse.urlencode({"projectKey": "default", "environmentKey": "production"} | parameters)
    status, body = get(f"{url}/api/v2/engineering-insights/flag-events?{query}")
    assert status == 200, body
    found: dict[str, Any] = body
    return found


def all_flag_events(url: str) -> list[dict[str, Any]]:
    """Every flag event, page after page."""
    found: list[dict[str, Any]] = []
    while True:
        page = flag_events(url, limit=100, **({"after": found[-1]["id"]} if found else {}))
        found += page["items"]
        if len(page["items"]) < 100:
            return found


def wait_indexed(url: str, *, events: int = 0) -> None:
    """Wait until the insights know everything that is in the log, and that is so many `events` at least."""
    deadline = time.monotonic() + 20
    while True:
        status, body = get(f"{url}/health")
        assert status == 200
        environment = body["environments"][0]
        if environment["indexed"] == environment["head"] >= events:
            return
        assert time.monotonic() < deadline, environment
        time.sleep(0.02)
