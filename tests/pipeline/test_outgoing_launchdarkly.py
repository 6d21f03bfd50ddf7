"""Requests to LaunchDarkly: path, key, headers and body by what was stored."""

import json
from typing import Any

import pytest

from router.config.model import Environment
from router.credentials import fingerprint
from router.names import EnvironmentName
from router.pipeline.delivery import Answer, Outcome
from router.pipeline.outgoing import Unsendable
from router.pipeline.outgoing_launchdarkly import ToLaunchDarkly
from tests.pipeline.entries import entry, selection

SHOP = Environment(
    name=EnvironmentName("shop", "production"),
    sdk_keys=("sdk-old", "sdk-new"),
    mobile_keys=("mob-1",),
    client_side_ids=("id 1",),
)


def target(key: str | None = None) -> ToLaunchDarkly:
    return ToLaunchDarkly("https://events.example/", key, SHOP)


@pytest.mark.parametrize(
    ("endpoint", "path", "authorization"),
    [
        ("bulk", "/bulk", "sdk-new"),
        ("diagnostic", "/diagnostic", "sdk-new"),
        ("mobile", "/mobile", "mob-1"),
        ("mobile_diagnostic", "/mobile/events/diagnostic", "mob-1"),
        ("client", "/events/bulk/id%201", None),
        ("client_diagnostic", "/events/diagnostic/id%201", None),
        ("gif", "/events/bulk/id%201", None),
    ],
)
def test_each_endpoint_has_its_path_and_the_key_that_was_used(
    endpoint: str, path: str, authorization: str | None
) -> None:
    post = target().build(selection(entry(2, endpoint=endpoint, key=fingerprint("sdk-new"))), 1)
    assert post.url == f"https://events.example{path}"
    assert dict(post.headers).get("Authorization") == authorization


@pytest.mark.parametrize(
    ("key", "endpoint", "used"),
    [
        ("sdk-other", "bulk", "sdk-other"),
        ("sdk-other", "mobile", "mob-1"),
        ("mob-other", "mobile", "mob-other"),
        ("mob-other", "bulk", "sdk-old"),
        ("anything", "bulk", "anything"),
        ("anything", "mobile", "anything"),
        ("api-import", "import", "api-import"),
    ],
)
def test_a_configured_key_is_for_what_is_of_its_kind(key: str, endpoint: str, used: str) -> None:
    assert dict(target(key).build(selection(entry(endpoint=endpoint)), 1).headers)["Authorization"] == used


def test_a_key_that_is_not_configured_any_more_is_replaced_by_the_first_of_its_kind() -> None:
    post = target().build(selection(entry(key=fingerprint("sdk-gone"))), 1)
    assert dict(post.headers)["Authorization"] == "sdk-old"


@pytest.mark.parametrize("endpoint", ["import", "unheard-of"])
def test_what_has_no_place_or_no_key_is_said(endpoint: str) -> None:
    with pytest.raises(Unsendable):
        target().build(selection(entry(endpoint=endpoint)), 1)


def test_the_import_goes_to_its_environment() -> None:
    post = target("api-import").build(selection(entry(endpoint="import")), 1)
    assert post.url == "https://events.example/v2/event-data-import/shop/production"


def test_headers_are_those_of_the_sdk() -> None:
    facts: dict[str, Any] = {
        "schema": 4,
        "tags": "application-id/shop",
        "wrapper": "w/1",
        "instance_id": "i",
        "sdk": "GoClient/7",
        "payload_id": "p",
        "unsummarized": True,
    }
    headers = dict(target().build(selection(entry(**facts)), 1).headers)
    assert headers == {
        "Content-Type": "application/json",
        "Authorization": "sdk-old",
        "X-LaunchDarkly-Event-Schema": "4",
        "X-LaunchDarkly-Tags": "application-id/shop",
        "X-LaunchDarkly-Wrapper": "w/1",
        "X-LaunchDarkly-Instance-Id": "i",
        "User-Agent": "GoClient/7",
        "X-LaunchDarkly-Unsummarized": "true",
        "X-LaunchDarkly-Payload-ID": "p",
    }
    browser = dict(target().build(selection(entry(endpoint="client", sdk="JSClient/3")), 1).headers)
    assert browser["X-LaunchDarkly-User-Agent"] == "JSClient/3"
    assert "User-Agent" not in browser


def test_bodies_are_the_events_as_they_came() -> None:
    chosen = selection(entry(2))
    raws = [event.raw for _, event in chosen.slices[0].events]
    assert target().build(chosen, 1).body == b"[" + b",".join(raws) + b"]"


def test_a_diagnostic_event_is_a_bare_object_without_a_payload_id() -> None:
    post = target().build(selection(entry(1, endpoint="diagnostic", kind="diagnostic")), 1)
    assert isinstance(json.loads(post.body), dict)
    assert "X-LaunchDarkly-Payload-ID" not in dict(post.headers)


def test_only_its_own_dialect_is_wanted() -> None:
    other = entry(dialect="statsig")
    assert not target().wanted(other, other.events[0])
    assert target().wanted(entry(), entry().events[0])


def test_answers() -> None:
    assert target().judge(Answer(202, {}), 1).outcome is Outcome.DELIVERED
