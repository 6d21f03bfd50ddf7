"""Frames out and in: every client reads back what was sent, however the bytes are cut."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import sse
from router.sse import Message, Parser

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def parse(data: bytes, cuts: list[int] | None = None) -> list[Message]:
    parser = Parser()
    found: list[Message] = []
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts or []), len(data)]
    for start, end in itertools.pairwise(edges):
        found.extend(parser.feed(data[start:end]))
    return found


@given(st.lists(JSON, max_size=5), st.lists(st.integers(0, 10_000), max_size=6), st.sampled_from([None, 1]))
def test_messages_come_back_however_the_bytes_are_cut(
    values: list[object], cuts: list[int], indent: int | None
) -> None:
    texts = [json.dumps(value, indent=indent, ensure_ascii=False).encode() for value in values]
    frames = b"".join(sse.message(f"e-{n}", text) + sse.HEARTBEAT for n, text in enumerate(texts))

    found = parse(frames, cuts)

    assert [f"e-{n}" for n in range(len(texts))] == [message.id for message in found]
    assert values == [json.loads(message.data) for message in found]
    assert {"message"} >= {message.event for message in found}


def test_only_line_breaks_are_touched() -> None:
    assert sse.one_line(b'{"a": "b\\n",\r\n"c":1}'.replace(b"\r\n", b"\n\n")) == b'{"a": "b\\n",  "c":1}'
    line = b'{"a":1}'
    assert sse.one_line(line) is line


def test_an_out_of_band_message_is_named() -> None:
    frame = sse.out_of_band("gap", b'{"lost":3}', cursor="e-9")

    assert [Message("gap", '{"lost":3}', "e-9")] == parse(frame)
    with pytest.raises(ValueError, match="control character"):
        sse.out_of_band("gap\ndata: forged", b"{}")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"data: a\rdata: b\r\n\n", [Message("message", "a\nb", "")]),
        (b"\xef\xbb\xbfdata:a\n\n", [Message("message", "a", "")]),
        (b"data\n\n", [Message("message", "", "")]),
        (b"id: 1\n\ndata: x\n\n", [Message("message", "x", "1")]),
        (b"id: 1\nid: \0\ndata: x\n\n", [Message("message", "x", "1")]),
        (b"event: e\n\ndata: x\n\n", [Message("message", "x", "")]),
        (b"data: unfinished\n", []),
        (b"unknown: 1\n: comment\n\n", []),
    ],
)
def test_the_standards_corners(data: bytes, expected: list[Message]) -> None:
    """Cases of the contract tests that LaunchDarkly's own clients pass (launchdarkly.md 3.4)."""
    assert expected == parse(data)
    assert expected == parse(data, list(range(len(data))))


def test_retry_takes_digits_only() -> None:
    parser = Parser()
    list(parser.feed(sse.retry(2500) + b"retry: x\n"))

    assert parser.retry == 2500
