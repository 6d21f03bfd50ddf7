"""Metrics of a router under load: the loss ledger balances in every scrape, and what was done is what is counted."""

import http.client
import json
import threading
import urllib.request
from pathlib import Path
from random import Random

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.crash.load import Sender
from tests.process import RouterProcess, router

SENDERS = 4
WHERE = {"environment": "default/production", "dialect": "launchdarkly"}


def scrape(process: RouterProcess) -> dict[str, Metric]:
    with urllib.request.urlopen(f"{process.url}/metrics", timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return {family.name: family for family in text_string_to_metric_families(answer.read().decode())}


def total(found: dict[str, Metric], name: str, **labels: str) -> float:
    """The sum of all samples of a family, those of buckets left out."""
    return sum(
        sample.value
        for sample in found[name].samples
        if not sample.name.endswith(("_bucket", "_created")) and labels.items() <= sample.labels.items()
    )


def balance(found: dict[str, Metric]) -> float:
    """Received less all that is accounted for."""
    parts = ("stored", "duplicate", "set_aside", "refused", "in_flight")
    return total(found, "router_events_received") - sum(total(found, f"router_events_{part}") for part in parts)


def post(process: RouterProcess, body: bytes, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=10)
    plain = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("POST", "/bulk", body, {"Authorization": "sdk-demo"} | plain)
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_loss_ledger_balances_in_every_scrape_under_load(tmp_path: Path) -> None:
    stop = threading.Event()
    with router(tmp_path / "data") as process:
        senders = [Sender(n, process.port, Random(n)) for n in range(SENDERS)]
        threads = [threading.Thread(target=sender.run, args=(stop,)) for sender in senders]
        for thread in threads:
            thread.start()
        good = {"kind": "custom", "key": "k", "creationDate": 1, "contextKeys": {"user": "u"}}
        for number in range(20):
            body = json.dumps([good, 5, {"no": "kind"}]).encode()
            headers = {"X_LaunchDarkly_Payload_ID": f"payload-{number}", "X_LaunchDarkly_Event_Schema": "4"}
            assert post(process, body, **headers) == 202
            assert post(process, body, **headers) == 202, "a retry"
            assert post(process, b"[{") == 400
            found = scrape(process)
            assert balance(found) == 0
            assert total(found, "router_events_unaccounted") == 0
        stop.set()
        for thread in threads:
            thread.join(30)
        found = scrape(process)
    sent = sum(len(batch.keys) for sender in senders for batch in sender.batches)
    assert balance(found) == 0
    assert total(found, "router_events_in_flight") == 0
    assert total(found, "router_events_refused") == 0
    assert total(found, "router_events_received") == sent + 20 * 2 * 3
    assert total(found, "router_events_set_aside") == 20 * 2
    assert total(found, "router_events_set_aside", reason="the event is not a JSON object") == 20
    assert total(found, "router_events_duplicate") == 20 * 3
    assert total(found, "router_log_head") == total(found, "router_events_stored") == sent + 20
    assert total(found, "router_posts", outcome="malformed") == 20
    assert total(found, "router_posts", outcome="duplicate") == 20


def test_what_the_committer_does_is_measured(tmp_path: Path) -> None:
    with router(tmp_path / "data") as process:
        for _ in range(3):
            assert post(process, b'[{"kind":"custom","key":"k","creationDate":1,"contextKeys":{"user":"u"}}]') == 202
        found = scrape(process)
    for name in ("router_commit_requests", "router_commit_seconds", "router_fsync_seconds", "router_post_seconds"):
        assert [sample.value for sample in found[name].samples if sample.name.endswith("_count")] == [3.0], name
    assert total(found, "router_fsync_seconds") > 3, "a sync takes time"
    assert total(found, "router_actor_state", actor="committer", state="running") == 1
    assert total(found, "router_mailbox_capacity", actor="committer") > 0
    assert total(found, "router_ready") == 1
    assert total(found, "router_loop_lag_seconds") >= 0


def test_an_open_stream_is_seen_with_its_lag(tmp_path: Path) -> None:
    with router(tmp_path / "data") as process:
        request = urllib.request.Request(
            f"{process.url}/events?from=earliest", headers={"Authorization": "api_key api-demo"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.read1()
            assert post(process, b'[{"kind":"custom","key":"k","creationDate":1,"contextKeys":{"user":"u"}}]') == 202
            assert b"data:" in answer.read1()
            found = scrape(process)
    assert total(found, "router_streams_open") == 1
    assert total(found, "router_stream_events") == 1
    assert total(found, "router_stream_lag_events") == 0
