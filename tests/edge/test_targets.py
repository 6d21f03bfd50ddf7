"""The other targets and producers end to end: the webhook, any CloudEvents producer, hops, caps, and no fsync."""

import hashlib
import hmac
import json
import signal
import time
from pathlib import Path

from tests.edge.routers import TOKEN, config, events, forwards, post, post_custom, running, to_router, until
from tests.edge.vendor import EVERY, anything, launchdarkly, vendor

SIGNED = "hook-secret"
CLOUD = {"specversion": "1.0", "id": "1", "source": "/till/7", "type": "order.paid", "data": {"total": 12}}
TO_HERE = "/v1/cloudevents?project=shop&environment=production"


def cloud_event(port: int, body: object, media: str, **headers: str) -> int:
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    all_headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": media, **more}
    return post(port, TO_HERE, json.dumps(body).encode(), all_headers).status


def test_a_webhook_gets_everything_in_order_signed_through_failures(tmp_path: Path) -> None:
    with vendor(anything) as sink:
        forward = f'to = "http"\nurl = "{sink.url}/hook"\ntoken = "{SIGNED}"\nname = "hook"'
        with running(tmp_path, "edge", forward) as edge:
            sink.plan = [failure for failure in EVERY if failure not in ("503 later", "slow")][:5]
            for batch in range(10):
                assert post_custom(edge.port, [f"{batch}/{n}" for n in range(10)])
            until(lambda: forwards(edge.port)["hook"]["lag"] == 0, "all is forwarded", timeout=60)
            received: dict[str, str] = {}
            for exchange in sink.kept:
                expected = "sha256=" + hmac.new(SIGNED.encode(), exchange.body, hashlib.sha256).hexdigest()
                assert exchange.headers["x-hub-signature-256"] == expected
                assert exchange.headers["router-payload-id"]
                for event in json.loads(exchange.body):
                    received.setdefault(event["id"], event["data"]["key"])
            assert list(received.values()) == [f"{a}/{n}" for a in range(10) for n in range(10)]


def test_any_producer_of_cloud_events_may_post(tmp_path: Path) -> None:
    with running(tmp_path, "hub") as hub:
        assert cloud_event(hub.port, CLOUD, "application/cloudevents+json") == 202
        assert cloud_event(hub.port, CLOUD, "application/cloudevents+json") == 202, (
            "the same source and id: stored once"
        )
        batch = [CLOUD | {"id": "2"}, {"no": "event"}, CLOUD | {"id": "3"}]
        assert cloud_event(hub.port, batch, "application/cloudevents-batch+json") == 202
        binary = {"ce_id": "4", "ce_source": "/till/7", "ce_type": "order.paid", "ce_specversion": "1.0"}
        assert cloud_event(hub.port, {"total": 9}, "application/json", **binary) == 202
        assert cloud_event(hub.port, CLOUD, "text/plain") == 400
        found = [json.loads(message.data) for message in events(hub.port, 4)]
        assert [event["id"] for event in found] == ["1", "2", "3", "4"]
        assert post(hub.port, TO_HERE, b"[]", {"Authorization": "Bearer api-other"}).status == 401
        assert (
            post(hub.port, TO_HERE.replace("shop", "other"), b"[]", {"Authorization": f"Bearer {TOKEN}"}).status == 401
        )


def test_two_hops_and_then_the_vendor(tmp_path: Path) -> None:
    """What a hub forwards to a vendor is what the SDK sent to the edge."""
    with vendor(launchdarkly) as upstream:
        on = f'to = "launchdarkly"\nurl = "{upstream.url}"\nbegin = "earliest"'
        with (
            running(tmp_path, "hub", on) as hub,
            running(tmp_path, "middle", to_router(hub.url)) as middle,
            running(tmp_path, "edge", to_router(middle.url)) as edge,
        ):
            event = b'[{"kind":"custom","key":"k","creationDate":1700000000000,"contextKeys":{"user":"u"}}]'
            payload = "7f3b2a60-0b5e-4f8e-9a54-3d0f8f0c1a11"
            headers = {"X-LaunchDarkly-Event-Schema": "4", "X-LaunchDarkly-Payload-ID": payload}
            assert post(edge.port, "/bulk", event, {"Authorization": "sdk-demo", **headers}).status == 202
            until(lambda: len(upstream.kept) == 1, "the vendor has it")
            (exchange,) = upstream.kept
            assert exchange.body == event
            assert exchange.headers["x-launchdarkly-payload-id"] == payload
            assert not upstream.faults


def test_a_capped_forward_takes_its_time_and_says_so(tmp_path: Path) -> None:
    with vendor(launchdarkly) as upstream:
        forward = f'to = "launchdarkly"\nurl = "{upstream.url}"\nname = "slow"\nmax_requests = 60'
        with running(tmp_path, "edge", forward) as edge:
            began = time.monotonic()
            for n in range(4):
                assert post_custom(edge.port, [str(n)])
            until(lambda: forwards(edge.port)["slow"]["state"] == "paced", "the forward says that it is held back")
            until(lambda: len(upstream.kept) == 4, "all is forwarded")
            assert time.monotonic() - began > 1.5, "one a second, after the first"


def test_a_closed_window_is_waited_for_and_said(tmp_path: Path) -> None:
    hour = int(time.time() // 3600 + 2) % 24
    with vendor(launchdarkly) as upstream:
        window = f'windows = ["{hour:02}:00-{(hour + 1) % 24:02}:00"]'
        forward = f'to = "launchdarkly"\nurl = "{upstream.url}"\nname = "night"\n{window}'
        with running(tmp_path, "edge", forward) as edge:
            assert post_custom(edge.port, ["a"])
            until(lambda: forwards(edge.port)["night"]["state"] == "closed", "the forward says that it waits")
            assert not upstream.kept
            assert edge.stop() == 0, "a stop does not wait for the window"


def test_without_fsync_what_is_synced_goes_on_and_comes_once(tmp_path: Path) -> None:
    storage = 'durability = "os"\nsync_interval = "500ms"\n'
    with running(tmp_path, "hub") as hub, running(tmp_path, "edge", to_router(hub.url), storage=storage) as edge:
        for batch in range(10):
            assert post_custom(edge.port, [f"{batch}/{n}" for n in range(10)])
            if batch == 5:
                edge.kill()
                edge.start()
        found = [json.loads(message.data)["key"] for message in events(hub.port, 100)]
        assert found == [f"{a}/{n}" for a in range(10) for n in range(10)]


def test_filters(tmp_path: Path) -> None:
    with running(tmp_path, "hub") as hub:
        statsig_only = to_router(hub.url, 'dialects = ["statsig"]', 'name = "some"')
        with running(tmp_path, "edge", statsig_only) as edge:
            assert post_custom(edge.port, ["a", "b"])
            statsig = b'{"events":[{"eventName":"buy","user":{"userID":"u"},"time":1700000000000}]}'
            assert post(edge.port, "/v1/log_event", statsig, {"statsig-api-key": "secret-demo"}).status == 202
            assert [json.loads(message.data)["eventName"] for message in events(hub.port, 1)] == ["buy"]
            until(lambda: forwards(edge.port)["some"]["lag"] == 0, "the cursor is beyond what was filtered out")
            assert forwards(edge.port)["some"]["skipped"] == 2


def test_a_reload_begins_and_ends_a_forward(tmp_path: Path) -> None:
    with running(tmp_path, "hub") as hub, running(tmp_path, "edge") as edge:
        assert post_custom(edge.port, ["a"])
        config(tmp_path / "edge.toml", to_router(hub.url))
        edge.send(signal.SIGHUP)
        assert [json.loads(message.data)["key"] for message in events(hub.port, 1)] == ["a"]
        config(tmp_path / "edge.toml")
        edge.send(signal.SIGHUP)
        until(lambda: not forwards(edge.port), "the forward is gone")
        assert post_custom(edge.port, ["b"])
        config(tmp_path / "edge.toml", to_router(hub.url))
        edge.send(signal.SIGHUP)
        found = [json.loads(message.data)["key"] for message in events(hub.port, 2)]
        assert found == ["a", "b"], "it goes on where it was"
