"""Requests to Statsig: path, key, headers and body by what was stored."""

import json
from typing import Any

import pytest

from router.config.model import Environment
from router.credentials import fingerprint
from router.names import EnvironmentName
from router.pipeline.delivery import Answer, Outcome
from router.pipeline.outgoing import Unsendable
from router.pipeline.outgoing_statsig import ToStatsig
from router.records import Entry
from tests.pipeline.entries import entry, selection

SHOP = Environment(name=EnvironmentName("shop", "production"), statsig_keys=("secret-1", "client-1"))
NOW = 1_700_000_500_000


def stored(endpoint: str = "log_event", count: int = 2, **facts: Any) -> Entry:  # noqa: ANN401
    return entry(count, "statsig", endpoint, **facts)


def target(key: str | None = None, url: str = "https://events.example/v1") -> ToStatsig:
    return ToStatsig(url, key, SHOP)


@pytest.mark.parametrize("url", ["https://events.example", "https://events.example/", "https://events.example/v1"])
@pytest.mark.parametrize("endpoint", ["log_event", "rgstr", "rgstr_b", "log_event_beacon", "sdk_exception"])
def test_each_endpoint_has_its_path(url: str, endpoint: str) -> None:
    assert target(url=url).build(selection(stored(endpoint)), NOW).url == f"https://events.example/v1/{endpoint}"


@pytest.mark.parametrize(
    ("key", "used", "sent"),
    [(None, "client-1", "client-1"), (None, "secret-gone", "secret-1"), ("secret-x", "client-1", "secret-x")],
)
def test_keys(key: str | None, used: str, sent: str) -> None:
    post = target(key).build(selection(stored(key=fingerprint(used))), NOW)
    assert dict(post.headers)["statsig-api-key"] == sent


@pytest.mark.parametrize("endpoint", ["event_webhook", "cf_log_drain"])
def test_what_no_sdk_sent_has_no_place(endpoint: str) -> None:
    with pytest.raises(Unsendable, match="no place"):
        target().build(selection(stored(endpoint)), NOW)


def test_without_any_key_nothing_can_be_sent() -> None:
    bare = ToStatsig("https://events.example", None, Environment(name=SHOP.name))
    with pytest.raises(Unsendable, match="no Statsig key"):
        bare.build(selection(stored()), NOW)


def test_the_body_is_the_sdks() -> None:
    chosen = selection(stored(metadata={"sdkType": "py"}, user={"userID": "u"}))
    body = target().build(chosen, NOW).body
    raws = b",".join(event.raw for _, event in chosen.slices[0].events)
    assert body == b'{"events":[' + raws + b'],"statsigMetadata":{"sdkType":"py"},"user":{"userID":"u"}}'
    exposures = target().build(selection(stored("log_custom_exposure")), NOW).body
    assert len(json.loads(exposures)["exposures"]) == 2
    only = selection(stored("sdk_exception", 1))
    assert target().build(only, NOW).body == only.slices[0].events[0][1].raw


def test_headers_are_those_of_the_sdk_and_the_clock_is_its_clock_now() -> None:
    post = target().build(
        selection(stored(sdk="py-server", sdk_version="1", session="s", language_version="3", skew=-2000)), NOW
    )
    headers = dict(post.headers)
    assert headers["statsig-client-time"] == str(NOW + 2000), "the SDK's clock is two seconds ahead"
    assert headers["statsig-sdk-type"] == "py-server"
    assert headers["statsig-sdk-version"] == "1"
    assert headers["statsig-server-session-id"] == "s"
    assert headers["statsig-sdk-language-version"] == "3"
    assert headers["statsig-event-count"] == "2"


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b'{"success":true}', Outcome.DELIVERED),
        (b"", Outcome.DELIVERED),
        (b'{"success": false}', Outcome.RETRY),
    ],
)
def test_a_success_that_says_it_is_none_is_tried_again(body: bytes, outcome: Outcome) -> None:
    assert target().judge(Answer(202, {}, body), NOW).outcome is outcome


def test_only_its_own_dialect_is_wanted() -> None:
    assert not target().wanted(entry(), entry().events[0])
    assert target().wanted(stored(), stored().events[0])
