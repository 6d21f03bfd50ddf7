"""A post through the dialect, the actors and the disk, and what every kind of trouble is answered with."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from router.actors.mailbox import Mailbox
from router.config import Server
from router.dialects.dialect import Dialect, Reply, Request, Route
from router.dialects.launchdarkly import LaunchDarkly
from router.dialects.statsig import Statsig
from router.errors import Busy, Interrupted
from router.http.ingest import Ingest
from router.pipeline.ledger import Append
from tests.http.conftest import CLIENT_ID, PRODUCTION, STAGING, Below, below, post

EVENT = b'{"kind":"custom","key":"k","creationDate":1700000000000,"contextKeys":{"user":"u"}}'
LAUNCHDARKLY = LaunchDarkly()
STATSIG = Statsig()


def route(dialect: Dialect, path: str) -> Route:
    return next(route for route in dialect.routes if route.path == path)


BULK = route(LAUNCHDARKLY, "/bulk")
CLIENT = route(LAUNCHDARKLY, "/events/bulk/{client_side_id}")
LOG_EVENT = route(STATSIG, "/v1/log_event")


def raws(running: Below, name: object = PRODUCTION) -> list[bytes]:
    environment = next(item for key, item in running.environments.items() if key == name)
    return [event.raw for stored in environment.log.read(0, environment.watermark.end) for event in stored.entry.events]


async def test_a_post_is_durable_when_it_is_answered(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        ingest = Ingest(running.services)
        body = gzip.compress(b"[" + EVENT + b", " + EVENT + b"]")
        reply = await ingest.post(
            LAUNCHDARKLY, BULK, post("/bulk", body, authorization="sdk-1", content_encoding="gzip")
        )

        assert reply == Reply(202, (("Router-Offsets", "0-1"), ("Router-Durability", "fsync")))
        assert raws(running) == [EVENT, EVENT]
        assert ingest.statistics().stored == 2


async def test_keys_of_one_environment_land_in_one_log(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        ingest = Ingest(running.services)
        body = b"[" + EVENT + b"]"
        for key in ("sdk-1", "api_key sdk-1", "mob-1"):
            assert (await ingest.post(LAUNCHDARKLY, BULK, post("/bulk", body, authorization=key))).status == 202
        client = Request("POST", "/", {"client_side_id": CLIENT_ID}, {}, {}, body, 1)
        assert (await ingest.post(LAUNCHDARKLY, CLIENT, client)).status == 202
        statsig = b'{"events":[{"eventName":"e","user":{"userID":"u"},"time":1700000000000}]}'
        reply = await ingest.post(STATSIG, LOG_EVENT, post("/v1/log_event", statsig, statsig_api_key="secret-1"))
        assert (reply.status, reply.body) == (202, b'{"success":true}')
        assert (await ingest.post(LAUNCHDARKLY, BULK, post("/bulk", body, authorization="sdk-2"))).status == 202

        assert len(raws(running)) == 5
        assert len(raws(running, STAGING)) == 1


@pytest.mark.parametrize(
    ("dialect", "path", "request_", "status"),
    [
        (LAUNCHDARKLY, "/bulk", post("/bulk", b"[]"), 401),
        (LAUNCHDARKLY, "/bulk", post("/bulk", b"[]", authorization="nobody"), 401),
        (LAUNCHDARKLY, "/bulk", post("/bulk", b"not json", authorization="sdk-1"), 400),
        (LAUNCHDARKLY, "/bulk", post("/bulk", b"[", authorization="sdk-1"), 400),
        (LAUNCHDARKLY, "/bulk", post("/bulk", b"x", authorization="sdk-1", content_encoding="gzip"), 400),
        (LAUNCHDARKLY, "/bulk", post("/bulk", b"[]", authorization="sdk-1"), 202),
        (LAUNCHDARKLY, "/bulk", post("/bulk", b"[1," + EVENT + b"]", authorization="sdk-1"), 202),
        (
            LAUNCHDARKLY,
            "/events/bulk/{client_side_id}",
            Request("POST", "/", {"client_side_id": "no-such"}, {}, {}, b"[]", 1),
            404,
        ),
        (STATSIG, "/v1/log_event", post("/v1/log_event", b"{}"), 401),
        (STATSIG, "/v1/log_event", post("/v1/log_event", b"{}", statsig_api_key="nobody"), 401),
        (STATSIG, "/v1/log_event", post("/v1/log_event", b"not json", statsig_api_key="secret-1"), 400),
        (STATSIG, "/v1/log_event", post("/v1/log_event", b'{"events":[]}', statsig_api_key="secret-1"), 202),
    ],
)
async def test_bad_input_gets_what_the_contract_says(
    tmp_path: Path, dialect: Dialect, path: str, request_: Request, status: int
) -> None:
    async with below(tmp_path) as running:
        reply = await Ingest(running.services).post(dialect, route(dialect, path), request_)

        assert reply.status == status
        if status >= 400:
            assert json.loads(reply.body)["message"]


async def test_a_malformed_body_never_reaches_an_actor(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        ingest = Ingest(running.services)
        for body in (b"", b"nonsense", b"[{]", b'{"a":', b"\xff\xfe"):
            await ingest.post(LAUNCHDARKLY, BULK, post("/bulk", body, authorization="sdk-1"))
            await ingest.post(STATSIG, LOG_EVENT, post("/v1/log_event", body, statsig_api_key="secret-1"))

        statistics = running.environments[PRODUCTION].mailbox.statistics()
        assert statistics.accepted == statistics.refused == 0
        assert ingest.statistics().refused["malformed"] == 10


@pytest.mark.parametrize(
    "trouble", [Busy("full", retry_after=7), Interrupted("gone"), TimeoutError(), KeyError("a bug")]
)
@pytest.mark.parametrize(
    ("dialect", "path", "body"),
    [(LAUNCHDARKLY, "/bulk", b"[" + EVENT + b"]"), (STATSIG, "/v1/log_event", b'{"events":[{"eventName":"e"}]}')],
)
async def test_every_trouble_of_ours_is_a_503_to_come_back_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception, dialect: Dialect, path: str, body: bytes
) -> None:
    """Any other status makes some SDK drop the batch, or switch itself off (sdk-behaviour, "When delivery fails")."""

    async def ask(_mailbox: Mailbox[Append], _message: Append, *, timeout: float) -> None:
        raise trouble

    async with below(tmp_path) as running:
        monkeypatch.setattr(Mailbox, "ask", ask)
        request = post(path, body, authorization="sdk-1", statsig_api_key="secret-1")
        reply = await Ingest(running.services).post(dialect, route(dialect, path), request)

    assert reply.status == 503
    assert dict(reply.headers)["Retry-After"] == ("7" if isinstance(trouble, Busy) else "1")
    if dialect is STATSIG:
        assert json.loads(reply.body) == {"success": False}


async def test_while_not_ready_nothing_is_taken(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        running.unready.append("the committer is backoff")
        reply = await Ingest(running.services).post(
            LAUNCHDARKLY, BULK, post("/bulk", b"[" + EVENT + b"]", authorization="sdk-1")
        )
        assert reply.status == 503
        assert raws(running) == []


async def test_an_oversize_body_is_refused_without_switching_sdks_off(tmp_path: Path) -> None:
    """A 413 ends event delivery of LaunchDarkly's Python SDK for good; a 400 costs one retry."""
    async with below(tmp_path) as running:
        ingest = Ingest(running.services)
        request = post("/bulk", b"", authorization="sdk-1")
        reply = await ingest.post(LAUNCHDARKLY, BULK, request, oversize=True)

        assert reply.status == 400
        assert "10485760 bytes" in json.loads(reply.body)["message"]


async def test_browsers_may_read_every_answer(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        ingest = Ingest(running.services)
        headers = {"origin": "https://shop.example", "access-control-request-headers": "content-type"}
        for parameters, body, status in (
            ({"client_side_id": CLIENT_ID}, b"[" + EVENT + b"]", 202),
            ({"client_side_id": CLIENT_ID}, b"nonsense", 400),
        ):
            request = Request("POST", "/", parameters, {}, headers, body, 1)
            reply = await ingest.post(LAUNCHDARKLY, CLIENT, request)
            assert (reply.status, dict(reply.headers)["Access-Control-Allow-Origin"]) == (status, headers["origin"])
        preflight = ingest.preflight(
            LAUNCHDARKLY, CLIENT, Request("OPTIONS", "/", {"client_side_id": CLIENT_ID}, {}, headers, b"", 1)
        )
        assert preflight.status == 200
        assert "POST" in dict(preflight.headers)["Access-Control-Allow-Methods"]
        unknown = ingest.preflight(
            LAUNCHDARKLY, CLIENT, Request("OPTIONS", "/", {"client_side_id": "no-such"}, {}, headers, b"", 1)
        )
        assert unknown.status == 404
        foreign = headers | {"origin": "https://evil.example"}
        refused = await ingest.post(
            LAUNCHDARKLY, CLIENT, Request("POST", "/", {"client_side_id": CLIENT_ID}, {}, foreign, b"[]", 1)
        )
        assert "Access-Control-Allow-Origin" not in dict(refused.headers)


async def test_our_own_secrets_do_not_reach_the_log(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        body = b'{"events":[{"eventName":"statsig::diagnostics","metadata":{"url":"https://x/secret-1.json"}}]}'
        await Ingest(running.services).post(STATSIG, LOG_EVENT, post("/v1/log_event", body, statsig_api_key="secret-1"))
        assert b"secret-1" not in raws(running)[0]
        assert b"/[redacted:" in raws(running)[0]


async def test_what_is_set_aside_is_kept_with_its_reason(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        ingest = Ingest(running.services)
        body = b"[1," + EVENT + b',{"no":"kind"}]'
        reply = await ingest.post(LAUNCHDARKLY, BULK, post("/bulk", body, authorization="sdk-1"))
        assert (reply.status, raws(running)) == (202, [EVENT])
        alone = await ingest.post(LAUNCHDARKLY, BULK, post("/bulk", b"[2]", authorization="sdk-1"))
        assert alone.status == 202
        assert "Router-Offsets" not in dict(alone.headers)

        items = list(running.environments[PRODUCTION].ledger.quarantine.newest(10))
        assert [item.raw for item in items] == [b"2", b'{"no":"kind"}', b"1"]
        assert all(item.reason and item.endpoint == "bulk" for item in items)
        assert ingest.statistics().set_aside == 3


async def test_a_retried_request_sets_nothing_aside_again(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        ingest = Ingest(running.services)
        request = post("/bulk", b"[1," + EVENT + b"]", authorization="sdk-1", x_launchdarkly_payload_id="P-1")
        first = await ingest.post(LAUNCHDARKLY, BULK, request)
        again = await ingest.post(LAUNCHDARKLY, BULK, request)

        assert dict(again.headers) == {**dict(first.headers), "Router-Duplicate": "true"}
        assert len(list(running.environments[PRODUCTION].ledger.quarantine.newest(10))) == 1
        assert ingest.statistics().duplicates == 1


def held_to(running: Below, **limits: int) -> None:
    running.services.config = replace(running.services.config, server=Server(**limits))  # type: ignore[arg-type]


async def test_what_nests_too_deeply_is_set_aside_and_its_neighbours_are_kept(tmp_path: Path) -> None:
    deep = EVENT[:-1] + b',"data":' + b"[" * 5 + b"]" * 5 + b"}"
    async with below(tmp_path) as running:
        held_to(running, max_depth=5)
        reply = await Ingest(running.services).post(
            LAUNCHDARKLY, BULK, post("/bulk", b"[" + EVENT + b"," + deep + b"," + EVENT + b"]", authorization="sdk-1")
        )
        items = running.environments[PRODUCTION].ledger.quarantine.newest(5)

        assert reply.status == 202
        assert raws(running) == [EVENT, EVENT]
        assert [(item.reason, item.raw) for item in items] == [("the event nests deeper than 5 levels", deep)]


async def test_a_statsig_batch_keeps_its_identities_beside_what_is_set_aside(tmp_path: Path) -> None:
    deep = b'{"eventName":"b","metadata":' + b'{"a":' * 5 + b"1" + b"}" * 6
    body = b'{"events":[{"eventName":"a"},' + deep + b',{"eventName":"c"}]}'
    async with below(tmp_path) as running:
        held_to(running, max_depth=4)
        ingest = Ingest(running.services)
        for _ in range(2):
            request = post("/v1/log_event", body, statsig_api_key="secret-1")
            assert (await ingest.post(STATSIG, LOG_EVENT, request)).status == 202

        assert {b'{"eventName":"a"}', b'{"eventName":"c"}'} == set(raws(running))


async def test_a_key_that_posts_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        held_to(running, key_rate=1, key_burst=2)
        ingest = Ingest(running.services)
        body = b"[" + EVENT + b"]"
        replies = [await ingest.post(LAUNCHDARKLY, BULK, post("/bulk", body, authorization="sdk-1")) for _ in range(4)]
        other = await ingest.post(LAUNCHDARKLY, BULK, post("/bulk", body, authorization="sdk-2"))

        assert [reply.status for reply in replies] == [202, 202, 503, 503]
        assert dict(replies[3].headers)["Retry-After"] == "1"
        assert other.status == 202
        assert ingest.statistics().rates.refused == 2


async def test_a_large_body_is_decoded_beside_the_loop(tmp_path: Path) -> None:
    body = b"[" + b",".join([EVENT] * 2000) + b"]"
    async with below(tmp_path) as running:
        reply = await Ingest(running.services).post(LAUNCHDARKLY, BULK, post("/bulk", body, authorization="sdk-1"))

        assert reply.status == 202
        assert len(raws(running)) == 2000
