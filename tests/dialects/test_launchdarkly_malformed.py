"""Bad posts and bad events: what is refused, what is set aside, and that neighbours never pay."""

import gzip
import json
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.dialects.dialect import Batch, Bounds
from router.dialects.launchdarkly import LaunchDarkly
from router.errors import Fault, Rejected
from tests.dialects.fixtures import RECEIVED, Recorded, decode

SDK: Final = LaunchDarkly()
GOOD: Final = b'{"kind":"custom","key":"good"}'
SPACE: Final = st.text(" \t\r\n", max_size=2).map(str.encode)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(st.characters(), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
KINDS: Final = st.sampled_from(["feature", "debug", "summary", "custom", "index", "alias", "diagnostic", "new-kind"])
VALID: Final = st.builds(
    lambda kind, fields, ascii_only: json.dumps(fields | {"kind": kind}, ensure_ascii=ascii_only).encode(
        "utf-8", "replace"
    ),
    KINDS,
    st.dictionaries(
        st.sampled_from(["key", "creationDate", "version", "variation", "context", "data", "value", "é"]), VALUES
    ),
    st.booleans(),
)
# JSON, but no event; and not JSON, but closed.
NO_EVENT: Final = [
    b"null",
    b"7",
    b'"x"',
    b"[]",
    b"{}",
    b'{"kind":null}',
    b'{"kind":""}',
    b'{"kind":5}',
    b'{"Kind":"x"}',
]
NO_JSON: Final = [
    b'{"kind":"x","a":tru}',
    b'{"kind":"x" "a":1}',
    b'{"kind":"x","a":"\xff"}',
    b"",
    b'{"kind":"x","a":01}',
]
BROKEN: Final = st.sampled_from(NO_EVENT + NO_JSON)


def post(body: bytes, path: str = "/bulk", **headers: str) -> Batch:
    return decode(SDK, Recorded("POST", path, {name.replace("_", "-"): value for name, value in headers.items()}, body))


def refused(body: bytes, **headers: str) -> str:
    with pytest.raises(Rejected) as caught:
        post(body, **headers)
    assert caught.value.fault is Fault.MALFORMED
    return caught.value.message


@settings(deadline=None)
@given(st.lists(st.tuples(SPACE, VALID | BROKEN, SPACE), min_size=1, max_size=8))
def test_valid_events_stay_as_sent_and_broken_ones_are_set_aside(parts: list[tuple[bytes, bytes, bytes]]) -> None:
    elements = [element for _, element, _ in parts]
    valid = [element for element in elements if element not in NO_EVENT + NO_JSON]
    body = b"[" + b",".join(before + element + after for before, element, after in parts) + b"]"
    if elements == [b""]:
        assert post(body).set_aside == []  # an empty array, however it is spaced
        return
    if all(element in NO_JSON for element in elements):
        assert "nothing in the array can be read" in refused(body)
        return

    batch = post(body)

    assert [event.raw for event in batch.events] == valid
    assert [aside.raw for aside in batch.set_aside] == [element for element in elements if element not in valid]
    assert all(aside.reason for aside in batch.set_aside)


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        (b"null", "not a JSON object"),
        (b"[1]", "not a JSON object"),
        (b"{}", "no kind"),
        (b'{"kind":5}', "no kind, or one that is not a string"),
        (b'{"kind":"x","a":"\xff"}', "not UTF-8 at byte 17"),
        (b'{"kind":"x","a":tru}', "not JSON: expecting value at character 16"),
        (b'{"kind":"x","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    ],
)
def test_a_bad_event_is_set_aside_with_its_reason(element: bytes, reason: str) -> None:
    batch = post(b"[" + GOOD + b"," + element + b"," + GOOD + b"]")

    assert [event.raw for event in batch.events] == [GOOD, GOOD]
    assert [aside.raw for aside in batch.set_aside] == [element]
    assert reason in batch.set_aside[0].reason


@pytest.mark.parametrize("path", ["/bulk", "/mobile", "/events/bulk/x", "/diagnostic", "/v2/event-data-import/p/e"])
@pytest.mark.parametrize("body", [b"[]", b" [ ]\n", b"\xef\xbb\xbf[]"])
def test_an_empty_array_is_an_empty_batch(path: str, body: bytes) -> None:
    batch = post(body, path)

    assert (batch.events, batch.set_aside, batch.facts) == ([], [], {})


@pytest.mark.parametrize("path", ["/bulk", "/mobile/events/bulk", "/events/bulk/x", "/mobile/events/diagnostic"])
@pytest.mark.parametrize("kind", ["diagnostic-init", "diagnostic", "custom", "new-kind"])
def test_a_bare_object_is_one_event_on_every_path(path: str, kind: str) -> None:
    """Flutter's diagnostics, and retries of js-core's (protocols/launchdarkly.md 1.8)."""
    body = json.dumps({"kind": kind, "id": {"diagnosticId": "d"}, "creationDate": RECEIVED}).encode()
    batch = post(b" \n" + body + b"\r\n", path)

    assert [event.raw for event in batch.events] == [body]
    assert (batch.identity is not None) == kind.startswith("diagnostic")
    assert post(b"[" + body + b"]", path).identity == batch.identity


def test_a_bare_object_that_is_no_event_is_set_aside() -> None:
    batch = post(b'{"events":[1]}')

    assert batch.events == []
    assert [aside.raw for aside in batch.set_aside] == [b'{"events":[1]}']


def test_several_diagnostics_in_one_post_have_no_identity() -> None:
    event = b'{"kind":"diagnostic","id":{"diagnosticId":"d"},"creationDate":1}'

    assert post(b"[" + event + b"]").identity is not None
    assert post(b"[" + event + b"," + event + b"]").identity is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \r\n",
        b"\xef\xbb\xbf",
        b"hello",
        b"null",
        b"5",
        b'"x"',
        b"[",
        b"[" + GOOD,
        b"[" + GOOD + b",",
        b"[" + GOOD[:-3],
        GOOD[:-1],
        GOOD + GOOD,
        b"[" + GOOD + b"]]",
        b"[" + GOOD + b"}",
        b"[" + GOOD + b"][]",
        b"\x00\x01\x02",
        '[{"kind":"x"}]'.encode("utf-16"),
        b"kind=custom&key=x",
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_body_that_is_not_json_is_malformed(body: bytes) -> None:
    assert refused(body)


def test_every_cut_of_a_post_is_malformed() -> None:
    body = b'[{"kind":"custom","key":"a\\"]","data":[1,{"x":null}]},' + GOOD + b"]"

    for length in range(len(body)):
        assert refused(body[:length])


@pytest.mark.parametrize("depth", [10, 256, 500])
def test_depth_within_reason_is_kept(depth: int) -> None:
    event = b'{"kind":"custom","data":' + b"[" * depth + b"]" * depth + b"}"

    assert [each.raw for each in post(b"[" + event + b"]").events] == [event]


@pytest.mark.parametrize("wire", [gzip.compress(b"[" + GOOD + b"]", mtime=0), b"[" + GOOD + b"]"])
@pytest.mark.parametrize("encoding", ["gzip", "GZIP", ""])
def test_a_body_is_inflated_by_its_header_or_its_looks(wire: bytes, encoding: str) -> None:
    assert [event.raw for event in post(wire, content_encoding=encoding).events] == [GOOD]


def test_what_cannot_be_inflated_is_malformed() -> None:
    wire = gzip.compress(b"[" + GOOD + b"]")

    assert "cut short" in refused(wire[:-9], content_encoding="gzip")
    assert "not spoken" in refused(b"x", content_encoding="br")
    with pytest.raises(Rejected, match="more than 16 bytes"):
        decode(SDK, Recorded("POST", "/bulk", {}, wire), bounds=Bounds(max_inflated=16))


def test_secrets_are_gone_from_events_and_from_what_is_set_aside() -> None:
    """Redaction is done on the inflated body, before anything is extracted."""
    bounds = Bounds(redact=lambda body: body.replace(b"sdk-1", b"[redacted:1]"))
    body = gzip.compress(b'[{"kind":"feature","key":"sdk-1","userKey":"sdk-1"},{"kind":null,"x":"sdk-1"}]')
    batch = decode(SDK, Recorded("POST", "/bulk", {}, body), bounds=bounds)

    assert "sdk-1" not in repr(batch)
    assert batch.events[0].flags == ("[redacted:1]",)
