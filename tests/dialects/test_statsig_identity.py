"""What tells a resent Statsig batch or event from a new one (protocols/statsig-and-others.md 6.4)."""

import gzip
import json
import sys
from collections.abc import Iterable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dialects.dialect import Batch, Dialect
from router.dialects.statsig import Statsig
from router.dialects.statsig_identity import identities
from tests.dialects.fixtures import RECEIVED, decode
from tests.dialects.test_statsig import enveloped, posted

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SDK: Final[Dialect] = Statsig()
ONE: Final = {"eventName": "one", "time": RECEIVED - 5}
TWO: Final = {"eventName": "two", "time": RECEIVED - 4}
BODY: Final = json.dumps(enveloped(ONE, TWO, statsigMetadata={"sessionID": "s-1"})).encode()


def batch(body: object = BODY, target: str = "/v1/log_event", received: int = RECEIVED, **headers: str) -> Batch:
    return decode(SDK, posted(target, body, **headers), received=received)


def known(raws: Iterable[bytes], session: str = "s", untimed: Iterable[int] = (), sent: int | None = 1) -> list[bytes]:
    found = identities(list(raws), session, list(untimed), sent)[1]
    assert found is not None
    return found


@pytest.mark.parametrize(
    "again",
    [
        {"body": gzip.compress(BODY)},
        {"body": zstd.compress(BODY), "content_encoding": "zstd"},
        {"target": "/v1/rgstr?t=1795239990000&sid=s-1"},
        {"statsig_client_time": "1795239990000", "statsig_retry_count": "3"},
        {"received": RECEIVED + 60_000},
        {"body": enveloped(ONE, TWO, statsigMetadata={"sessionID": "s-1", "flushType": "manual"}, clientTime="1")},
    ],
)
def test_a_retry_has_the_same_identities_whatever_is_around_its_events(again: dict[str, Any]) -> None:
    first, second = batch(), batch(**again)

    assert first.identity is not None
    assert first.identity == second.identity
    assert first.event_identities == second.event_identities


def test_a_batch_is_the_same_in_another_session_but_its_events_are_not() -> None:
    first, again = batch(), batch(target="/v1/rgstr?sid=s-2")

    assert first.identity == again.identity
    assert not set(first.event_identities or ()) & set(again.event_identities or ())


@pytest.mark.parametrize(
    "events",
    [[TWO, ONE], [ONE], [ONE, TWO, TWO], [ONE, {**TWO, "time": RECEIVED - 3}], [{**ONE, "value": 1}, TWO]],
)
def test_other_events_make_another_batch(events: list[dict[str, Any]]) -> None:
    assert batch().identity != batch(enveloped(*events)).identity


def test_two_equal_events_in_one_batch_are_two() -> None:
    found = batch(enveloped(ONE, ONE, TWO, ONE)).event_identities or []

    assert len(found) == len(set(found)) == 4


def test_equal_events_are_counted_among_themselves_only() -> None:
    """So they are recognised in another order and another company."""
    first = known([b"a", b"b", b"a"])
    merged = known([b"c", b"b", b"a", b"d", b"a", b"a"])

    assert [identity in first for identity in merged] == [False, True, True, False, True, False]


def test_an_event_that_was_set_aside_has_no_identity() -> None:
    found = batch(enveloped(ONE, {"value": 1}, TWO, statsigMetadata={"sessionID": "s-1"}))

    assert found.event_identities == batch().event_identities
    assert len(found.set_aside) == 1


@given(st.lists(st.sampled_from([b"a", b"b", b"c"])), st.lists(st.sampled_from([b"a", b"b", b"c"])))
def test_a_merged_batch_repeats_exactly_the_events_it_shares(first: list[bytes], second: list[bytes]) -> None:
    """Of each event, as many are recognised as the smaller of the two batches holds."""
    shared = sum(min(first.count(event), second.count(event)) for event in (b"a", b"b", b"c"))
    one = known(first) if first else []
    two = known(second) if second else []

    assert len(set(one)) == len(first)
    assert len(set(one) & set(two)) == shared


def test_events_that_do_not_say_when_are_not_taken_for_a_retry() -> None:
    """Two purchases reported by hand look the same: nothing tells the second from a repetition of the first."""
    found = batch({"eventName": "purchase", "user": {"userID": "u-7"}}, "/v1/webhooks/event_webhook")

    assert (found.identity, found.event_identities) == (None, None)


def test_events_that_do_not_say_when_are_recognised_by_the_send_time() -> None:
    body = enveloped({"eventName": "purchase"})
    first, again, later = [batch(body, statsig_client_time=str(RECEIVED - ago)) for ago in (50, 50, 10)]

    assert first.identity is not None
    assert first.identity == again.identity != later.identity
    assert first.event_identities == again.event_identities != later.event_identities


def test_an_event_that_does_not_say_when_is_recognised_in_the_company_of_its_batch() -> None:
    undated: dict[str, Any] = {"eventName": "undated"}
    first, again, other = [batch(enveloped(undated, each)) for each in (ONE, ONE, TWO)]
    shared = set(first.event_identities or ()) & set(other.event_identities or ())

    assert first.identity == again.identity
    assert first.event_identities == again.event_identities
    assert len(set(first.event_identities or ())) == 2
    assert not shared


def test_an_empty_batch_has_no_identity() -> None:
    found = batch(enveloped())

    assert (found.events, found.identity, found.event_identities) == ([], None, None)


def test_the_identities_are_bytes_that_another_process_finds_again() -> None:
    """They are stored: a change of these breaks deduplication across an upgrade."""
    identity, (event,) = identities([b'{"eventName":"e"}'], "s-1", [], None)[0], known([b'{"eventName":"e"}'], "s-1")

    assert identity is not None
    assert identity.hex() == "236fd1e65da8ca394b9c77854e80bea5"
    assert event.hex() == "befc922a9f90462424d0371caa04c457"
