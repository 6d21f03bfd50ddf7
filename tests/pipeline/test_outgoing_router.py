"""What goes to another router; that it arrives as it was is `tests/dialects/test_cloudevents_events.py`."""

import json

from backports import zstd

from router.names import EnvironmentName
from router.pipeline.delivery import Answer, Outcome
from router.pipeline.outgoing_router import ToRouter
from tests.pipeline.entries import entry, selection

TARGET = ToRouter("https://hub.example/", "api-x", EnvironmentName("shop", "pro.duction"))


def test_a_batch_is_compressed_and_says_its_range() -> None:
    post = TARGET.build(selection(entry(2), entry(1), first=7), 1)
    headers = dict(post.headers)
    assert post.url == "https://hub.example/v1/cloudevents?project=shop&environment=pro.duction"
    assert headers["Authorization"] == "Bearer api-x"
    assert headers["Router-Range"] == "abcdefgh-7..10"
    events = json.loads(zstd.decompress(post.body))
    assert [event["id"] for event in events] == ["abcdefgh-7", "abcdefgh-8", "abcdefgh-9"]
    assert ["routerentry" in event for event in events] == [True, False, True]
    assert all(isinstance(value, str) for event in events for name, value in event.items() if name != "data")


def test_the_same_selection_makes_the_same_request() -> None:
    assert TARGET.build(selection(entry()), 1) == TARGET.build(selection(entry()), 2)


def test_a_success_that_no_router_gave_is_none() -> None:
    assert TARGET.judge(Answer(202, {"router-durability": "fsync"}), 1).outcome is Outcome.DELIVERED
    portal = TARGET.judge(Answer(200, {}, b"<html>Welcome to the hotel"), 1)
    assert (portal.outcome, portal.reason) == (
        Outcome.RETRY,
        "200, but not by a router: something in between answered",
    )
