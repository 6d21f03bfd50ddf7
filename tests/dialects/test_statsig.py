"""Statsig's routes, credentials, request facts and replies."""

import gzip
import json
from typing import Any, Final

import pytest

from router.credentials import CredentialKind
from router.dialects.dialect import Bounds, Dialect, Receipt, Refusal, Route
from router.dialects.statsig import Statsig
from router.errors import Fault, Rejected
from tests.dialects.fixtures import RECEIVED, Recorded, claim, decode, route_of

SDK: Final[Dialect] = Statsig()
EVENT: Final = {"eventName": "purchase", "time": RECEIVED - 100, "user": {"userID": "u-7"}}
ENDPOINTS = {
    "/log_event": "log_event",
    "/rgstr": "rgstr",
    "/rgstr_b": "rgstr_b",
    "/log_event_beacon": "log_event_beacon",
    "/sdk_exception": "sdk_exception",
    "/rgstr_e": "sdk_exception",
    "/log_custom_exposure": "log_custom_exposure",
    "/webhooks/event_webhook": "event_webhook",
    "/log_event/cf_log_drain": "cf_log_drain",
}


def posted(target: str = "/v1/log_event", body: object = None, **headers: str) -> Recorded:
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return Recorded("POST", target, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def enveloped(*events: dict[str, Any], **others: object) -> dict[str, Any]:
    return {"events": list(events), **others}


@pytest.mark.parametrize("prefix", ["/v1", ""])
@pytest.mark.parametrize(("path", "endpoint"), ENDPOINTS.items())
def test_every_path_is_served_with_and_without_its_version(prefix: str, path: str, endpoint: str) -> None:
    assert route_of(SDK, posted(prefix + path))[0].endpoint == endpoint


def test_no_path_is_served_beside_those() -> None:
    assert {route.path for route in SDK.routes} == {prefix + path for path in ENDPOINTS for prefix in ("/v1", "")}
    assert len(SDK.routes) == 2 * len(ENDPOINTS)


def test_an_alias_is_served_as_log_event() -> None:
    dialect = Statsig(aliases=("/metrics-proxy", "/t/e", "/t/e", "/v1/rgstr"))

    assert route_of(dialect, posted("/metrics-proxy"))[0].endpoint == "log_event"
    assert route_of(dialect, posted("/v1/rgstr"))[0].endpoint == "rgstr"
    assert len(dialect.routes) == len(SDK.routes) + 2
    assert len({route.path for route in dialect.routes}) == len(dialect.routes)
    assert [event.name for event in decode(dialect, posted("/t/e", enveloped(EVENT))).events] == ["purchase"]


@pytest.mark.parametrize("alias", ["t/e", "", "/t/{key}"])
def test_an_alias_that_is_no_plain_path_is_refused(alias: str) -> None:
    with pytest.raises(ValueError, match="is no path"):
        Statsig(aliases=(alias,))


@pytest.mark.parametrize("route", Statsig(aliases=("/t",)).routes, ids=lambda route: route.path)
def test_browsers_may_post_everywhere_with_whatever_headers(route: Route) -> None:
    """Beacons come with credentials, and each js-client post has a URL of its own, so a preflight should last."""
    assert route.cors is not None
    assert route.cors.mirror_headers
    assert route.cors.allow_credentials
    assert route.cors.expose_headers == "Date"
    assert (route.cors.preflight_status, route.cors.max_age) == (204, 86_400)


@pytest.mark.parametrize(
    "recorded",
    [
        posted(statsig_api_key="client-1"),
        posted(statsig_api_key=" client-1 "),
        posted("/v1/rgstr?k=client-1"),
        posted("/v1/rgstr?k=client-other", statsig_api_key="client-1"),
        posted("/v1/rgstr?k=client-1", statsig_api_key=""),
        posted("/v1/log_event/cf_log_drain?header_statsig-api-key=client-1"),
        posted("/log_event/cf_log_drain?header_STATSIG-API-KEY=client-1"),
        posted(body={"events": [], "sdkKey": "client-1"}),
        posted(body={"events": [], "statsigAPIKey": "client-1"}),
        posted(body={"events": [], "k": "client-1"}),
        posted(body=b'{"events":[{"value":NaN}],"k":"client-1"}'),
        posted(body=gzip.compress(b'{"events":[],"k":"client-1"}')),
        posted("/v1/rgstr?k=client-1", body={"events": [], "k": "client-other"}),
    ],
)
def test_the_key_is_found_in_the_header_the_query_or_the_body(recorded: Recorded) -> None:
    shown = claim(SDK, recorded)

    assert shown.secret == "client-1"
    assert shown.kinds == {CredentialKind.STATSIG_KEY}
    assert (shown.environment, shown.scope) == (None, None)


@pytest.mark.parametrize(
    "recorded",
    [
        posted(),
        posted(statsig_api_key="  "),
        posted("/v1/rgstr?k="),
        posted("/v1/log_event?header_statsig-api-key=client-1"),
        posted(body={"events": []}),
        posted(body={"events": [], "k": 5}),
        posted(body={"events": [{"k": "client-1"}]}),
        posted(body=[{"k": "client-1"}]),
        posted(body=b"{"),
        posted(body=b"\x1f\x8b broken"),
    ],
)
def test_a_request_without_a_key_is_unauthenticated(recorded: Recorded) -> None:
    with pytest.raises(Rejected) as caught:
        claim(SDK, recorded)

    assert caught.value.fault is Fault.UNAUTHENTICATED
    assert "?k=" in caught.value.message


def test_not_much_is_unpacked_for_a_sender_who_is_not_known() -> None:
    """One megabyte of zeros is a kilobyte on the wire."""
    body = json.dumps({"k": "client-1", "events": [{"eventName": "x" * 1024 * 1024}]}).encode()

    with pytest.raises(Rejected) as caught:
        claim(SDK, posted(body=gzip.compress(body)))

    assert caught.value.fault is Fault.UNAUTHENTICATED


def test_what_the_headers_say_is_kept() -> None:
    recorded = posted(
        body=enveloped(EVENT, statsigMetadata={"sdkType": "other", "languageVersion": "3.11", "batchSize": 2000}),
        statsig_client_time=str(RECEIVED - 30),
        statsig_sdk_type="statsig-server-core-python",
        statsig_sdk_version="0.24.0",
        statsig_server_session_id="s-1",
        statsig_sdk_language_version="3.11",
        statsig_event_count="1",
        statsig_retry_count="2",
        x_request_service="checkout",
    )

    assert decode(SDK, recorded).facts == {
        "client_time": RECEIVED - 30,
        "skew": 30,
        "quality": "skew",
        "sdk": "statsig-server-core-python",
        "sdk_version": "0.24.0",
        "session": "s-1",
        "language_version": "3.11",
        "event_count": 1,
        "retry": 2,
        "service": "checkout",
        "metadata": {"sdkType": "other", "languageVersion": "3.11", "batchSize": 2000},
    }


def test_what_the_query_says_is_kept() -> None:
    """As js-client sends it (section 1.3)."""
    target = f"/v1/rgstr?k=client-1&st=javascript-client&sv=3.33.5&t={RECEIVED - 30}&sid=s-1&ec=1&gz=1"
    recorded = posted(target, gzip.compress(json.dumps(enveloped(EVENT)).encode()))

    assert decode(SDK, recorded).facts == {
        "client_time": RECEIVED - 30,
        "skew": 30,
        "quality": "skew",
        "sdk": "javascript-client",
        "sdk_version": "3.33.5",
        "session": "s-1",
        "event_count": 1,
    }


def test_what_the_body_says_is_kept_where_nothing_else_says_it() -> None:
    """As a beacon of statsig-js, and a third-party crate with the SDK's type at the top level (1.4, 1.7)."""
    metadata = {"sessionID": "s-1", "stableID": "d-1", "deep": [[[1]]], "huge": 10**30}
    body = enveloped(EVENT, clientTime=str(RECEIVED - 30), statsigMetadata=metadata, sdkType="rs", sdkVersion="1")

    assert decode(SDK, posted("/v1/rgstr_b?k=client-1", body)).facts == {
        "client_time": RECEIVED - 30,
        "skew": 30,
        "quality": "skew",
        "sdk": "rs",
        "sdk_version": "1",
        "session": "s-1",
        "metadata": {**metadata, "huge": str(10**30)},
    }


@pytest.mark.parametrize("count", ["", "many", "1.5", "-1", "٣", "9" * 30])
def test_a_count_that_is_none_is_left_out(count: str) -> None:
    """Java sends an empty one (1.6)."""
    facts = decode(SDK, posted(body=enveloped(EVENT), statsig_event_count=count, statsig_retry=count)).facts

    assert facts == {"quality": "raw"}


def test_the_retry_number_of_the_old_python_sdk_is_kept() -> None:
    assert decode(SDK, posted(body=enveloped(EVENT), statsig_retry="0")).facts["retry"] == 0


def test_the_user_of_the_request_is_kept_without_private_attributes() -> None:
    """Forwarding needs it; what SDKs take out before they log is taken out here too (2.3)."""
    user = {"userID": "u-9", "privateAttributes": {"email": "ana@example.com"}}

    assert decode(SDK, posted(body=enveloped(EVENT, user=user))).facts["user"] == {"userID": "u-9"}
    assert "user" not in decode(SDK, posted(body=enveloped(EVENT, user={}))).facts


def test_headers_that_are_no_text_do_not_cost_the_events() -> None:
    assert decode(SDK, posted(body=enveloped(EVENT), statsig_sdk_type="\udce9")).facts["sdk"] == "?"


def test_secrets_are_taken_out_before_events_are_split() -> None:
    bounds = Bounds(redact=lambda body: body.replace(b"secret-1", b"[redacted:12345678]"))
    event = {**EVENT, "metadata": {"url": "https://specs.example/v2/secret-1.json"}}
    batch = decode(SDK, posted(body=gzip.compress(json.dumps(enveloped(event)).encode())), bounds=bounds)

    assert b"secret-1" not in batch.events[0].raw
    assert b"/v2/[redacted:12345678].json" in batch.events[0].raw


def test_accepted_events_are_answered_with_the_json_sdks_insist_on() -> None:
    reply = SDK.accepted(SDK.routes[0], Receipt((7, 9), "fsync", duplicate=True))

    assert (reply.status, reply.body) == (202, b'{"success":true}')
    assert dict(reply.headers) == {
        "Content-Type": "application/json",
        "Router-Offsets": "7-9",
        "Router-Durability": "fsync",
        "Router-Duplicate": "true",
    }


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.UNAUTHENTICATED, 401),
        (Fault.FORBIDDEN, 401),
        (Fault.UNKNOWN_CLIENT, 401),
        (Fault.MALFORMED, 400),
    ],
)
def test_a_refusal_says_why(fault: Fault, status: int) -> None:
    reply = SDK.refused(SDK.routes[0], Refusal(fault, "the reason"))

    assert reply.status == status
    assert json.loads(reply.body) == {"message": "the reason", "status": status}
    assert reply.headers == (("Content-Type", "application/json"),)


@pytest.mark.parametrize(("asked", "told"), [(None, "1"), (5, "5")])
def test_what_cannot_be_taken_now_is_answered_so_that_it_comes_again(asked: int | None, told: str) -> None:
    reply = SDK.refused(SDK.routes[0], Refusal(Fault.UNAVAILABLE, "the disk is full", asked))

    assert (reply.status, reply.body) == (503, b'{"success":false}')
    assert dict(reply.headers) == {"Content-Type": "application/json", "Retry-After": told}
