"""The webhook: CloudEvents in a batch, signed."""

import hashlib
import hmac
import json

from router.names import EnvironmentName
from router.pipeline.delivery import Answer, Outcome
from router.pipeline.outgoing_http import ToHttp
from tests.pipeline.entries import entry, selection

SHOP = EnvironmentName("shop", "production")


def test_a_batch_is_signed_and_named() -> None:
    target = ToHttp("https://sink.example/hook", "secret", SHOP)
    post = target.build(selection(entry(2), entry(1, "statsig", "rgstr")), 1)
    headers = dict(post.headers)
    assert post.url == "https://sink.example/hook"
    assert headers["Content-Type"] == "application/cloudevents-batch+json"
    expected = hmac.new(b"secret", post.body, hashlib.sha256).hexdigest()
    assert headers["X-Hub-Signature-256"] == f"sha256={expected}"
    events = json.loads(post.body)
    assert [event["dialect"] for event in events] == ["launchdarkly", "launchdarkly", "statsig"]
    assert not any(name.startswith("router") for event in events for name in event)
    assert target.build(selection(entry(2), entry(1, "statsig", "rgstr")), 2) == post, "a repeat is the same request"


def test_without_a_token_there_is_no_signature() -> None:
    target = ToHttp("https://sink.example", None, SHOP)
    assert "X-Hub-Signature-256" not in dict(target.build(selection(entry()), 1).headers)
    assert target.wanted(entry(), entry().events[0])
    assert target.judge(Answer(204, {}), 1).outcome is Outcome.DELIVERED
