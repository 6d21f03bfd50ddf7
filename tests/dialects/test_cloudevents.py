"""CloudEvents over HTTP: every mode, the credential, the replies, and what another router sends."""

import gzip
import json
from collections.abc import Mapping

import pytest
from backports import zstd

from router.credentials import Scope
from router.dialects.cloudevents import BATCH, PATH, SINGLE, CloudEvents, span_of
from router.dialects.dialect import Batch, Bounds, Receipt, Refusal, Request
from router.errors import Fault, Rejected
from router.names import EnvironmentName

DIALECT = CloudEvents()
(ROUTE,) = DIALECT.routes
EVENT = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order.paid", "data": {"n": 1}}
BODY = json.dumps(EVENT).encode()


def request(body: bytes, headers: Mapping[str, str], query: Mapping[str, str] | None = None) -> Request:
    return Request("POST", PATH, {}, query or {}, headers, body, 1_700_000_000_000)


def decode(body: bytes, media: str, **headers: str) -> Batch:
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return DIALECT.decode(ROUTE, request(body, {"content-type": media, **more}), Bounds())


@pytest.mark.parametrize("authorization", ["Bearer api-x", "api_key api-x", "api-x"])
def test_the_token_is_of_scope_ingest(authorization: str) -> None:
    query = {"project": "shop", "environment": "production"}
    claim = DIALECT.claim(ROUTE, request(b"", {"authorization": authorization}, query))
    assert (claim.secret, claim.scope) == ("api-x", Scope.INGEST.value)
    assert claim.environment == EnvironmentName("shop", "production")


def test_a_token_of_one_environment_need_not_name_it() -> None:
    assert DIALECT.claim(ROUTE, request(b"", {"authorization": "api-x"})).environment is None


@pytest.mark.parametrize(
    ("headers", "query", "fault"),
    [
        ({}, {}, Fault.UNAUTHENTICATED),
        ({"authorization": "Bearer"}, {}, Fault.UNAUTHENTICATED),
        ({"authorization": "a b c"}, {}, Fault.UNAUTHENTICATED),
        ({"authorization": "api-x"}, {"project": "shop"}, Fault.MALFORMED),
        ({"authorization": "api-x"}, {"project": "a/b", "environment": "c"}, Fault.MALFORMED),
    ],
)
def test_a_claim_that_is_none(headers: dict[str, str], query: dict[str, str], fault: Fault) -> None:
    with pytest.raises(Rejected) as caught:
        DIALECT.claim(ROUTE, request(b"", headers, query))
    assert caught.value.fault is fault


@pytest.mark.parametrize("media", [SINGLE, f"{SINGLE}; charset=utf-8", SINGLE.upper()])
def test_a_single_event(media: str) -> None:
    (event,) = decode(BODY, media).events
    assert (event.kind, event.name, event.raw) == ("other", "order.paid", BODY)


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_a_compressed_batch(encoding: str, compress: type[bytes]) -> None:
    batch = decode(compress(b"[" + BODY + b" , " + BODY + b"]"), BATCH, content_encoding=encoding)
    assert [event.raw for event in batch.events] == [BODY, BODY]
    assert batch.event_identities is not None
    assert len(set(batch.event_identities)) == 1, "the same source and id"


def test_a_binary_event_is_kept_as_the_structured_one_that_says_the_same() -> None:
    attributes = {"ce_id": "1", "ce_source": "/shop", "ce_type": "order.paid", "ce_specversion": "1.0"}
    (event,) = decode(b'{"n": 1}', "application/json", **attributes, ce_subject="a%20b").events
    assert json.loads(event.raw) == {**EVENT, "subject": "a b", "datacontenttype": "application/json"}
    (event,) = decode(b"\xff\x00", "image/png", **attributes).events
    assert json.loads(event.raw)["data_base64"] == "/wA="


@pytest.mark.parametrize(
    ("body", "media", "headers", "words"),
    [
        (BODY, "application/json", {}, "none of CloudEvents'"),
        (b"", BATCH, {}, "not a JSON array"),
        (b"{}", BATCH, {}, "not a JSON array"),
        (b"[]", SINGLE, {}, "not a JSON object"),
        (b"[", BATCH, {}, "cut short"),
        (b"x", BATCH, {"content_encoding": "br"}, "not spoken here"),
        (b"{}", "application/json", {"ce_specversion": "1.0"}, "header ce-id is missing"),
        (b"[]", BATCH, {"router_range": "soon"}, "not of the form"),
        (b"[]", BATCH, {"router_range": "abcdefgh-7..7"}, "ends before it begins"),
        (b"[]", BATCH, {"router_range": "abcdefgh-7..8", "router_filter": "x y"}, "not of hex digits"),
    ],
)
def test_a_body_that_cannot_be_read(body: bytes, media: str, headers: dict[str, str], words: str) -> None:
    with pytest.raises(Rejected, match=words) as caught:
        decode(body, media, **headers)
    assert caught.value.fault is Fault.MALFORMED


def test_an_empty_batch_is_no_fault() -> None:
    assert decode(b"[]", BATCH).events == []


def test_the_range_of_a_batch() -> None:
    assert span_of("abcdefgh-5..9") == ("abcdefgh", (5, 9))


def test_an_accepted_answer_says_that_a_router_gave_it() -> None:
    reply = DIALECT.accepted(ROUTE, Receipt((1, 2), "fsync"))
    assert reply.status == 202
    assert dict(reply.headers)["Router-Durability"] == "fsync"


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.UNAUTHENTICATED, 401),
        (Fault.FORBIDDEN, 403),
        (Fault.MALFORMED, 400),
        (Fault.UNAVAILABLE, 503),
        (Fault.UNKNOWN_CLIENT, 401),
    ],
)
def test_refusals(fault: Fault, status: int) -> None:
    reply = DIALECT.refused(ROUTE, Refusal(fault, "why", 7))
    assert (reply.status, json.loads(reply.body)) == (status, {"message": "why"})
    assert ("Retry-After", "7") in reply.headers or fault is not Fault.UNAVAILABLE


def test_a_batch_of_too_many_is_refused_before_it_is_read() -> None:
    dialect = CloudEvents()
    request = Request(
        "POST",
        dialect.routes[0].path,
        {},
        {},
        {"content-type": "application/cloudevents-batch+json"},
        b"[" + b",".join([b"{}"] * 60) + b"]",
        1,
    )
    with pytest.raises(Rejected, match="more than 50 events"):
        dialect.decode(dialect.routes[0], request, Bounds(max_events=50))
