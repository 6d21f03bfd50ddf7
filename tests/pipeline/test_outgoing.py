"""Payload ids, and bodies compressed where it is worth it."""

import gzip

from router.pipeline.outgoing import compressed, payload_id
from tests.pipeline.entries import entry, selection


def test_a_whole_request_keeps_its_sdks_payload_id() -> None:
    assert payload_id(selection(entry(3)), "own") == "own"


def test_a_part_of_a_request_has_an_id_of_its_own_and_always_the_same() -> None:
    halves = selection(entry(4), first=7).halves()
    assert halves is not None
    ids = [payload_id(half, "own") for half in halves]
    assert len({*ids, "own"}) == 3
    assert ids == [payload_id(half, "own") for half in halves]


def test_a_request_without_an_id_gets_one_by_its_place() -> None:
    assert payload_id(selection(entry(1), first=7)) == payload_id(selection(entry(1), first=7))
    assert payload_id(selection(entry(1), first=7)) != payload_id(selection(entry(1), first=8))


def test_small_bodies_stay_as_they_are() -> None:
    assert compressed(b"[]") == ((), b"[]")


def test_large_bodies_are_compressed_the_same_every_time() -> None:
    body = b"x" * 5000
    headers, sent = compressed(body)
    assert headers == (("Content-Encoding", "gzip"),)
    assert gzip.decompress(sent) == body
    assert compressed(body)[1] == sent
