"""LaunchDarkly's own generated API client calls the endpoint with every parameter and parses every answer."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from launchdarkly_api import ApiClient, Configuration, InsightsFlagEventsBetaApi
from launchdarkly_api.exceptions import ApiException

from tests.process import router
from tests.sdk import insights

MINUTE = 60_000
# The share of "b" before and after: the size of the impact.
ROLLOUTS = {"large-flag": (0, 90, "large"), "medium-flag": (0, 50, "medium"), "small-flag": (10, 15, "small"),
            "none-flag": (50, 50, "none")}  # fmt: skip


@dataclass
class Served:
    """A router with flag events, and the client. now: unix ms, roughly."""

    url: str
    api: InsightsFlagEventsBetaApi
    now: int


def summary(flag: str, time: int, share: int) -> dict[str, object]:
    counters = [
        {"variation": index, "value": value, "version": 1, "count": count}
        for index, value, count in ((0, "a", 100 - share), (1, "b", share))
        if count
    ]
    feature = {"default": "a", "contextKinds": ["user"], "counters": counters}
    return {"kind": "summary", "startDate": time, "endDate": time + 2000, "features": {flag: feature}}


def post(url: str, events: list[object], application: str) -> None:
    headers = {
        "Authorization": "sdk-demo",
        "Content-Type": "application/json",
        "X-LaunchDarkly-Event-Schema": "4",
        "X-LaunchDarkly-Payload-ID": str(uuid.uuid4()),
        "X-LaunchDarkly-Tags": f"application-id/{application} application-version/2",
    }
    assert insights.post(f"{url}/bulk", json.dumps(events).encode(), headers)[0] == 202


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with router() as process:
        url, now = process.url, insights.now()
        events: list[object] = []
        for place, (flag, (before, after, _)) in enumerate(ROLLOUTS.items()):
            when = now - 3 * 3600_000 + place * 1000
            events += [summary(flag, when - 5 * MINUTE, before), summary(flag, when + 5 * MINUTE, after)]
            assert insights.announce_launchdarkly(url, flag, when)[0] == 200
        post(url, events, "shop")
        trial = {
            "kind": "feature", "creationDate": now - 2 * 3600_000, "key": "tried", "variation": 1, "version": 3,
            "value": True, "default": False, "context": {"kind": "user", "key": "u-1"},
            "reason": {"kind": "FALLTHROUGH", "inExperiment": True},
        }  # fmt: skip
        post(url, [trial, {**summary("tried", now - 2 * 3600_000, 50)}], "lab")
        assert insights.announce_launchdarkly(url, "tried", now - 2 * 3600_000 - 1000, member=None)[0] == 200
        everywhere = [{"action": "createFlag", "resource": "proj/default:env/*:flag/new-flag"}]
        assert insights.announce_launchdarkly(url, "new-flag", now - 3600_000, accesses=everywhere)[0] == 200
        insights.wait_indexed(url)
        configuration = Configuration(host=url, api_key={"ApiKey": "api-demo"})
        with ApiClient(configuration, header_name="LD-API-Version", header_value="beta") as client:
            yield Served(url, InsightsFlagEventsBetaApi(client), now)


NEWEST_FIRST = ["new-flag", "tried", "none-flag", "small-flag", "medium-flag", "large-flag"]


@pytest.mark.parametrize(
    ("parameters", "flags"),
    [
        ({}, NEWEST_FIRST),
        ({"application_key": "shop"}, ["none-flag", "small-flag", "medium-flag", "large-flag"]),
        ({"application_key": "lab,nobody"}, ["tried"]),
        ({"query": "E-FLAG"}, ["none-flag", "large-flag"]),
        ({"impact_size": "none"}, ["none-flag"]),
        ({"impact_size": "small"}, ["small-flag"]),
        ({"impact_size": "medium"}, ["medium-flag"]),
        ({"impact_size": "large"}, ["large-flag"]),
        ({"has_experiments": True}, ["tried"]),
        ({"has_experiments": False}, [flag for flag in NEWEST_FIRST if flag != "tried"]),
        ({"var_global": "exclude"}, NEWEST_FIRST[1:]),
        ({"var_global": "include"}, NEWEST_FIRST),
        ({"expand": "experiments"}, NEWEST_FIRST),
        ({"limit": 2}, NEWEST_FIRST[:2]),
    ],
    ids=str,
)
def test_every_parameter(served: Served, parameters: dict[str, object], flags: list[str]) -> None:
    answer = served.api.get_flag_events("default", "production", **parameters)
    assert [item.flag_key for item in answer.items] == flags
    assert answer.total_count == (len(flags) if "limit" not in parameters else len(NEWEST_FIRST))


def test_from_and_to(served: Served) -> None:
    answer = served.api.get_flag_events(
        "default", "production", var_from=served.now - 150 * MINUTE, to=served.now - 90 * MINUTE
    )
    assert [item.flag_key for item in answer.items] == ["tried"]


def test_paging_there_and_back(served: Served) -> None:
    pages = []
    after = None
    while True:
        answer = served.api.get_flag_events("default", "production", limit=2, after=after)
        assert answer.total_count == len(NEWEST_FIRST)
        pages.append([item.flag_key for item in answer.items])
        if "next" not in answer.links:
            break
        after = str(answer.items[-1].id)
        assert answer.links["next"].href.endswith(f"limit=2&after={after}")
        assert answer.links["next"].type == "application/json"
    assert pages == [NEWEST_FIRST[0:2], NEWEST_FIRST[2:4], NEWEST_FIRST[4:6]]
    back = served.api.get_flag_events("default", "production", limit=2, before=str(answer.items[0].id))
    assert [item.flag_key for item in back.items] == NEWEST_FIRST[2:4]
    assert "prev" in back.links


def test_every_field(served: Served) -> None:
    items = {
        item.flag_key: item for item in served.api.get_flag_events("default", "production", expand="experiments").items
    }
    medium = items["medium-flag"]
    assert (medium.impact.size, medium.impact.percentage, medium.impact.reason) == ("medium", 50, "evaluations")
    variations = medium.impact.evaluations_summary.variations
    assert [(each.value, each.before, each.after) for each in variations] == [("a", 100, 50), ("b", 0, 50)]
    assert (medium.event_type, medium.description) == ("enabled_targeting", "Targeting rule enabled")
    assert (medium.project_key, medium.environment_key, medium.actions) == ("default", "production", ["updateOn"])
    assert (medium.member.email, medium.member.first_name) == ("kim@shop.test", "Kim")
    assert medium.experiments.total_count == 0
    tried = items["tried"]
    assert tried.member is None
    (experiment,) = tried.experiments.items
    assert (experiment.key, experiment.iteration.status) == ("tried", "running")
    assert experiment.iteration.started_at % MINUTE == 0
    created = items["new-flag"]
    assert (created.event_type, created.environment_key, created.environment_id) == ("created_flag", None, None)
    plain = served.api.get_flag_events("default", "production")
    assert all(item.experiments is None for item in plain.items)


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (("default", "nowhere"), 404, "not_found"),
        (("nobody", "production"), 404, "not_found"),
        (("default", "production", {"impact_size": "huge"}), 400, "invalid_request"),
        (("default", "production", {"limit": 101}), 400, "invalid_request"),
        (("default", "production", {"limit": 0}), 400, "invalid_request"),
        (("default", "production", {"var_global": "some"}), 400, "invalid_request"),
        (("default", "production", {"expand": "members"}), 400, "invalid_request"),
        (("default", "production", {"var_from": 5, "to": 4}), 400, "invalid_request"),
        (("default", "production", {"after": "nothing"}), 400, "invalid_request"),
    ],
    ids=str,
)
def test_what_it_refuses(
    served: Served, arguments: tuple[str, str] | tuple[str, str, dict[str, object]], status: int, code: str
) -> None:
    project, environment, *rest = arguments
    with pytest.raises(ApiException) as caught:
        served.api.get_flag_events(project, environment, **(rest[0] if rest else {}))
    assert caught.value.status == status
    body = json.loads(caught.value.body)
    assert body["code"] == code
    assert body["message"]
    if status == 400:
        assert all(each["attribute"] and each["reason"] for each in body["errors"])


def test_one_event_by_its_id(served: Served) -> None:
    first = insights.flag_events(served.url)["items"][0]
    path = f"{served.url}/api/v2/engineering-insights/flag-events"
    assert insights.get(f"{path}/{first['id']}") == (200, first)
    assert insights.get(f"{path}/{uuid.uuid4()}")[0] == 404
    assert insights.get(f"{path}/{first['id']}", token="sdk-demo")[0] == 401
