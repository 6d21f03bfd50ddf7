"""LaunchDarkly's routes, credentials, request facts and replies."""

import json
from typing import Final

import pytest

from router.credentials import CredentialKind, Scope
from router.dialects.dialect import Dialect, Receipt, Refusal, Route
from router.dialects.launchdarkly import PIXEL, LaunchDarkly
from router.errors import Fault, Rejected
from router.names import EnvironmentName
from tests.dialects.fixtures import Recorded, claim, decode, route_of

SDK: Final[Dialect] = LaunchDarkly()
HEADER_KINDS = {CredentialKind.SDK_KEY, CredentialKind.MOBILE_KEY}
ENDPOINTS = {
    "POST /bulk": "bulk",
    "POST /api/events/bulk": "bulk",
    "POST /diagnostic": "diagnostic",
    "POST /mobile": "mobile",
    "POST /mobile/events": "mobile",
    "POST /mobile/events/bulk": "mobile",
    "POST /mobile/events/diagnostic": "mobile_diagnostic",
    "POST /events/bulk/0123456789abcdef01234567": "client",
    "POST /events/diagnostic/0123456789abcdef01234567": "client_diagnostic",
    "GET /a/0123456789abcdef01234567.gif": "gif",
    "GET /events/bulk/0123456789abcdef01234567/a/0123456789abcdef01234567.gif": "gif",
    "POST /v2/event-data-import/shop/production": "import",
}


def asked(line: str, body: bytes = b"", **headers: str) -> Recorded:
    method, target = line.split(" ", 1)
    return Recorded(method, target, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize(("line", "endpoint"), ENDPOINTS.items())
def test_every_path_of_the_contract_is_served(line: str, endpoint: str) -> None:
    assert route_of(SDK, asked(line))[0].endpoint == endpoint


def test_no_path_is_served_beside_those_of_the_contract() -> None:
    assert {route_of(SDK, asked(line))[0] for line in ENDPOINTS} == set(SDK.routes)


@pytest.mark.parametrize("route", SDK.routes, ids=lambda route: route.path)
def test_browsers_are_told_what_they_may_send_and_read_where_they_post(route: Route) -> None:
    assert (route.cors is not None) == (route.endpoint in ("client", "client_diagnostic", "gif"))
    if route.cors is not None:
        assert route.cors.mirror_headers
        assert route.cors.expose_headers == "Date"
        assert not route.cors.allow_credentials
        assert route.cors.max_age == 300
        assert "X-LaunchDarkly-Instance-Id" in route.cors.allow_headers.split(",")


@pytest.mark.parametrize("path", ["/bulk", "/api/events/bulk", "/diagnostic", "/mobile", "/mobile/events/bulk"])
@pytest.mark.parametrize("shown", ["sdk-1", "api_key sdk-1", "api_key   sdk-1 ", " sdk-1", "API_KEY sdk-1"])
def test_the_key_is_the_bare_header_or_follows_api_key(path: str, shown: str) -> None:
    found = claim(SDK, asked(f"POST {path}", authorization=shown))

    assert found.secret == "sdk-1"
    assert found.kinds == HEADER_KINDS
    assert found.environment is None
    assert found.scope is None


@pytest.mark.parametrize("shown", [None, "", "   ", "api_key ", "Bearer sdk-1", "sdk-1, sdk-2", "api_key sdk-1 x"])
def test_a_header_without_a_key_is_unauthenticated(shown: str | None) -> None:
    headers = {} if shown is None else {"authorization": shown}

    with pytest.raises(Rejected) as caught:
        claim(SDK, Recorded("POST", "/bulk", headers))

    assert caught.value.fault is Fault.UNAUTHENTICATED


@pytest.mark.parametrize("line", [line for line in ENDPOINTS if "0123456789abcdef01234567" in line])
def test_on_client_side_paths_the_id_in_the_path_counts_alone(line: str) -> None:
    """Node and Electron clients send an Authorization header there as well (protocols/launchdarkly.md 1.1)."""
    found = claim(SDK, asked(line, authorization="sdk-1"))

    assert found.secret == "0123456789abcdef01234567"
    assert found.kinds == {CredentialKind.CLIENT_SIDE_ID}


@pytest.mark.parametrize("shown", ["api-1", "Bearer api-1", "api_key api-1"])
def test_the_import_takes_an_api_token_for_the_environment_in_its_path(shown: str) -> None:
    found = claim(SDK, asked("POST /v2/event-data-import/shop/production", authorization=shown))

    assert found.secret == "api-1"
    assert found.kinds == {CredentialKind.API_TOKEN}
    assert found.environment == EnvironmentName("shop", "production")
    assert found.scope == Scope.INGEST


@pytest.mark.parametrize(
    ("path", "headers", "fault"),
    [
        ("/v2/event-data-import/shop/production", {}, Fault.UNAUTHENTICATED),
        ("/v2/event-data-import/shop/-x", {"authorization": "api-1"}, Fault.MALFORMED),
    ],
)
def test_an_import_that_cannot_be_placed_is_refused(path: str, headers: dict[str, str], fault: Fault) -> None:
    with pytest.raises(Rejected) as caught:
        claim(SDK, Recorded("POST", path, headers))

    assert caught.value.fault is fault


def test_the_facts_are_those_of_the_headers() -> None:
    batch = decode(
        SDK,
        asked(
            "POST /bulk",
            b"[]",
            user_agent="JavaClient/7.1.0",
            x_launchdarkly_event_schema="4",
            x_launchdarkly_payload_id="0B6F-AA",
            x_launchdarkly_tags="application-id/shop application-version/1.2",
            x_launchdarkly_wrapper="spring/2",
            x_launchdarkly_instance_id="56eac2b7",
            x_launchdarkly_unsummarized="",
        ),
    )

    assert batch.facts == {
        "schema": 4,
        "payload_id": "0b6f-aa",
        "tags": "application-id/shop application-version/1.2",
        "application": "shop",
        "sdk": "JavaClient/7.1.0",
        "wrapper": "spring/2",
        "instance_id": "56eac2b7",
        "unsummarized": True,
    }


def test_what_no_header_says_is_left_out() -> None:
    assert decode(SDK, asked("POST /bulk", b"[]")).facts == {}
    assert "application" not in decode(SDK, asked("POST /bulk", b"[]", x_launchdarkly_tags="application-id/")).facts


def test_a_browsers_own_user_agent_gives_way_to_the_sdks() -> None:
    recorded = asked("POST /bulk", b"[]", user_agent="Mozilla/5.0", x_launchdarkly_user_agent="JSClient/3.9.5")

    assert decode(SDK, recorded).facts["sdk"] == "JSClient/3.9.5"


@pytest.mark.parametrize("said", ["", "x", "0", "-1", "4.0", "\u0664", "99999"])
def test_a_schema_header_that_says_nothing_leaves_it_to_the_events(said: str) -> None:
    body = b'[{"kind":"index","user":{"key":"u"}}]'

    assert decode(SDK, asked("POST /bulk", body, x_launchdarkly_event_schema=said)).facts["schema"] == 3


def test_the_payload_id_identifies_a_post_whatever_its_case() -> None:
    one = decode(SDK, asked("POST /bulk", b"[]", x_launchdarkly_payload_id="A1B2"))
    same = decode(SDK, asked("POST /mobile", b"[]", x_launchdarkly_payload_id="a1b2"))
    other = decode(SDK, asked("POST /bulk", b"[]", x_launchdarkly_payload_id="a1b3"))

    assert one.identity == same.identity == b"ld:a1b2"
    assert other.identity != one.identity
    assert decode(SDK, asked("POST /bulk", b"[]")).identity is None


@pytest.mark.parametrize("route", SDK.routes, ids=lambda route: route.path)
def test_an_accepted_post_is_answered_202_without_a_body(route: Route) -> None:
    receipt = Receipt((7, 9), "fsync", duplicate=True)
    reply = SDK.accepted(route, receipt)

    assert set(receipt.headers()) <= set(reply.headers)
    if route.endpoint == "gif":
        assert (reply.status, reply.body) == (200, PIXEL)
        assert ("Content-Type", "image/gif") in reply.headers
    else:
        assert (reply.status, reply.body) == (202, b"")


# What each fault becomes (contract, "What a bad request gets"): on header paths, client-side paths, the import, images.
STATUSES = {
    Fault.UNAUTHENTICATED: (401, 401, 401, 401),
    Fault.UNKNOWN_CLIENT: (404, 404, 404, 404),
    Fault.FORBIDDEN: (401, 401, 403, 401),
    Fault.MALFORMED: (400, 400, 400, 200),
    Fault.UNAVAILABLE: (503, 503, 503, 503),
}


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("route", SDK.routes, ids=lambda route: route.path)
def test_every_refusal_is_a_status_of_the_contract(route: Route, fault: Fault) -> None:
    reply = SDK.refused(route, Refusal(fault, "a sentence"))
    column = {"import": 2, "gif": 3}.get(route.endpoint, 1 if route.cors else 0)

    assert reply.status == STATUSES[fault][column]
    assert reply.status not in (413, 415, 422, 429)
    if reply.status == 200:
        assert (reply.headers[0], reply.body) == (("Content-Type", "image/gif"), PIXEL)
    else:
        assert ("Content-Type", "application/json") in reply.headers
        assert json.loads(reply.body) == {"message": "a sentence"}


@pytest.mark.parametrize("route", SDK.routes, ids=lambda route: route.path)
@pytest.mark.parametrize(("asked_for", "said"), [(None, "1"), (0, "1"), (7, "7")])
def test_only_an_overload_says_when_to_come_back(route: Route, asked_for: int | None, said: str) -> None:
    for fault in Fault:
        headers = dict(SDK.refused(route, Refusal(fault, "full", asked_for)).headers)
        assert headers.get("Retry-After") == (said if fault is Fault.UNAVAILABLE else None)
