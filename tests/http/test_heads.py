"""Heads that the fast lane may serve, and all the others, which it must not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.http import heads
from router.http.heads import Chunks, Head

GOOD = b"POST /bulk?x=1 HTTP/1.1\r\nHost: h\r\nAuthorization: sdk-1\r\nContent-Length: 3\r\nX-A: 1\r\nx-a: 2\r\n\r\n"


def test_a_plain_head_is_read() -> None:
    headers = {"host": "h", "authorization": "sdk-1", "content-length": "3", "x-a": "1, 2"}
    assert heads.read(GOOD) == Head("POST", "/bulk?x=1", headers, 3, False)
    assert heads.find_end(GOOD + b"abc") == len(GOOD)
    assert heads.find_end(GOOD[:-1]) == -1


@pytest.mark.parametrize(
    "head",
    [
        b"POST /bulk HTTP/1.0\r\nHost: h\r\n\r\n",
        b"POST /bulk HTTP/1.1\r\n\r\n",
        b"POST /bulk HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /bulk HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        b"POST /bulk HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\n",
        b"POST /bulk HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"POST /bulk HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",
        b"POST /bulk HTTP/1.1\r\nHost : h\r\n\r\n",
        b"POST /bulk HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        b"POST /bulk HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\r\n\r\n",
    ],
)
def test_what_is_unusual_is_left_to_the_plain_route(head: bytes) -> None:
    assert heads.read(head) is None


def chunked(parts: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part) + b"0\r\n\r\n"


@given(st.lists(st.binary(max_size=40)), st.binary(max_size=20), st.lists(st.integers(1, 9), min_size=1))
def test_chunks_in_any_pieces(parts: list[bytes], behind: bytes, cuts: list[int]) -> None:
    data = chunked(parts) + behind
    chunks, left, place = Chunks(), b"", 0
    while place < len(data):
        cut = cuts[place % len(cuts)]
        if chunks.done:
            left += data[place : place + cut]
        else:
            left += chunks.feed(data[place : place + cut])
        place += cut

    assert chunks.done
    assert b"".join(chunks.parts) == b"".join(parts)
    assert left == behind


@pytest.mark.parametrize(
    "data", [b"x\r\n", b"-1\r\n", b"\r\n", b"3\r\nabcd\r\n", b"0\r\nTrailer: x\r\n\r\n", b"f" * 9 + b"\r\n", b"1" * 300]
)
def test_what_is_broken_is_seen(data: bytes) -> None:
    chunks = Chunks()
    chunks.feed(data)
    assert chunks.broken
    assert not chunks.done


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    heads.read(data)
    Chunks().feed(data)
