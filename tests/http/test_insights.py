"""The insights endpoints of a real router, besides what LaunchDarkly's own client asks (tests/sdk)."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from router.http.allowance import ROUTE
from tests.process import RouterProcess, router
from tests.sdk import insights

HOUR = 3600_000


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouterProcess]:
    with router(tmp_path_factory.mktemp("router") / "data") as running:
        yield running


def post(url: str, events: list[object], path: str = "/bulk", **headers: str) -> None:
    kinds = {"Authorization": "sdk-demo"} | {name.replace("_", "-"): value for name, value in headers.items()}
    assert insights.post(url + path, json.dumps(events).encode(), kinds)[0] == 202


def evaluations(url: str, flag: str, **query: object) -> dict[str, Any]:
    path = f"/insights/flags/default/production/{urllib.parse.quote(flag)}/evaluations"
    status, body = insights.get(f"{url}{path}?{urllib.parse.urlencode(query)}")
    assert status == 200, body
    found: dict[str, Any] = body
    return found


def test_counts_over_time(process: RouterProcess) -> None:
    now = insights.now()
    hour = now - now % (2 * HOUR) - 6 * HOUR  # where steps of two hours begin
    counters = [
        {"variation": 0, "version": version, "value": {"a": [1, 2.5]}, "count": version} for version in (10, 20)
    ]
    told = {"counters": counters, "default": None, "contextKinds": ["user"]}
    for minute in (0, 1, 61):
        time = hour + minute * 60_000
        post(process.url, [{"kind": "summary", "startDate": time, "endDate": time, "features": {"a/b c": told}}])
    insights.wait_indexed(process.url)
    found = evaluations(process.url, "a/b c", **{"from": hour, "to": hour + 2 * HOUR, "step": "1m"})
    (series,) = found["variations"]
    assert (series["value"], series["variation"], series["reason"]) == ({"a": [1, 2.5]}, 0, "evaluations")
    assert series["total"] == 90
    assert series["points"] == [{"time": hour + minute * 60_000, "count": 30} for minute in (0, 1, 61)]
    for step, counts in (("1h", [60, 30]), ("2h", [90]), ("30m", [60, 30])):
        found = evaluations(process.url, "a/b c", **{"from": hour, "to": hour + 2 * HOUR, "step": step})
        assert [point["count"] for point in found["variations"][0]["points"]] == counts
    assert evaluations(process.url, "never")["variations"] == []


def test_exposures_and_their_weight(process: RouterProcess) -> None:
    event = {
        "eventName": "statsig::gate_exposure", "user": {"userID": "u"}, "time": insights.now(),
        "metadata": {"gate": "gate", "gateValue": "true", "ruleID": "r"},
        "statsigMetadata": {"samplingRate": 10, "samplingMode": "on"},
    }  # fmt: skip
    body = json.dumps({"events": [event], "statsigMetadata": {}}).encode()
    assert insights.post(f"{process.url}/v1/log_event", body, {"statsig-api-key": "secret-demo"})[0] == 202
    insights.wait_indexed(process.url)
    (series,) = evaluations(process.url, "gate")["variations"]
    assert (series["value"], series["reason"], series["total"]) == (True, "exposures", 1)
    assert [(point["count"], point["weighted"]) for point in series["points"]] == [(1, 10)]


def test_single_evaluations_of_a_payload_that_has_no_summary(process: RouterProcess) -> None:
    event = {"kind": "feature", "creationDate": insights.now(), "key": "php", "value": "x", "default": "y",
             "variation": 1, "version": 3, "context": {"kind": "user", "key": "u"}}  # fmt: skip
    post(process.url, [event, event], X_LaunchDarkly_Unsummarized="true", X_LaunchDarkly_Event_Schema="4")
    post(process.url, [event], X_LaunchDarkly_Event_Schema="4")
    insights.wait_indexed(process.url)
    assert evaluations(process.url, "php")["variations"][0]["total"] == 2


@pytest.mark.parametrize("query", ["step=1s", "from=then", "from=5&to=4", "step=1m&from=0"])
def test_what_cannot_be_answered(process: RouterProcess, query: str) -> None:
    status, body = insights.get(f"{process.url}/insights/flags/default/production/f/evaluations?{query}")
    assert (status, body["code"]) == (400, "invalid_request")
    assert body["errors"][0]["attribute"] in ("step", "from")


@pytest.mark.parametrize("path", ["default/nowhere", "nobody/production"])
def test_an_environment_that_is_not_there(process: RouterProcess, path: str) -> None:
    assert insights.get(f"{process.url}/insights/flags/{path}/f/evaluations")[0] == 404


def test_a_token_that_asks_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    with router(tmp_path / "data") as process:
        url = f"{process.url}/api/v2/engineering-insights/flag-events?projectKey=default&environmentKey=production"
        request = urllib.request.Request(url, headers={"Authorization": "api-demo"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            left = int(answer.headers["X-Ratelimit-Route-Remaining"])
            assert left == ROUTE - 1
            assert int(answer.headers["X-Ratelimit-Reset"]) > insights.now()
        for _ in range(2 * ROUTE):  # a window may end meanwhile
            status, body = insights.get(url)
            if status != 200:
                break
        assert (status, body["code"]) == (429, "rate_limited")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=10)
        with caught.value as refused:
            assert 1 <= int(refused.headers["Retry-After"]) <= 10


def test_a_page_may_ask(process: RouterProcess) -> None:
    url = f"{process.url}/api/v2/engineering-insights/flag-events"
    asked = urllib.request.Request(
        url, headers={"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}, method="OPTIONS"
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    refused = urllib.request.Request(url, headers={"Origin": "https://shop.example"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(refused, timeout=10)
    with caught.value as error:
        assert error.code == 401
        assert error.headers["Access-Control-Allow-Origin"] == "https://shop.example"
