"""Decompression is bounded: no body makes more memory than the limit."""

import gzip
import sys
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dialects.inflate import inflate
from router.errors import Fault, Rejected

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LIMIT = 1_000_000


@given(st.binary(max_size=2000), st.sampled_from(["gzip", "zstd", ""]), st.booleans())
def test_what_was_compressed_comes_back(body: bytes, encoding: str, labelled: bool) -> None:
    """By the header, or by the magic bytes where there is none."""
    compress: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstd.compress, "": bytes}
    packed = compress[encoding](b"[" + body)

    assert inflate(packed, encoding if labelled else "", LIMIT) == b"[" + body


def test_several_members_are_one_body() -> None:
    assert inflate(gzip.compress(b"[1,") + gzip.compress(b"2]"), "gzip", LIMIT) == b"[1,2]"
    assert inflate(zstd.compress(b"[1,") + zstd.compress(b"2]"), "zstd", LIMIT) == b"[1,2]"


def test_zlib_is_taken_as_deflate() -> None:
    assert inflate(zlib.compress(b"[]"), "deflate", LIMIT) == b"[]"


def test_a_proxy_that_decompressed_and_left_the_header_is_forgiven() -> None:
    assert inflate(b'[{"kind":"x"}]', "gzip", LIMIT) == b'[{"kind":"x"}]'


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress])
def test_a_bomb_is_refused_without_going_off(compress: Callable[[bytes], bytes]) -> None:
    bomb = compress(bytes(100 * LIMIT))
    tracemalloc.start()
    with pytest.raises(Rejected, match="inflates to more than 1000000 bytes") as caught:
        inflate(bomb, "", LIMIT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.fault is Fault.MALFORMED
    assert peak < 5 * LIMIT


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"\x1f\x8bgarbage", "gzip"),
        (gzip.compress(b"[1,2,3]", mtime=0)[:-3], "gzip"),
        (b"\x28\xb5\x2f\xfdgarbage", "zstd"),
        (zstd.compress(b"[1,2,3]")[:-3], "zstd"),
        (b"xx", "br"),
        (bytes(LIMIT + 1), "identity"),
    ],
)
def test_what_cannot_be_read_is_malformed(body: bytes, encoding: str) -> None:
    with pytest.raises(Rejected) as caught:
        inflate(body, encoding, LIMIT)
    assert caught.value.fault is Fault.MALFORMED


@pytest.mark.parametrize(("compress", "encoding"), [(gzip.compress, "gzip"), (zstd.compress, "zstd")])
def test_a_small_body_that_inflates_absurdly_is_stopped_at_its_ratio(
    compress: Callable[[bytes], bytes], encoding: str
) -> None:
    bomb = compress(b"[" + b" " * 30_000_000 + b"]")

    with pytest.raises(Rejected, match=f"more than {max(1024 * 1024, 100 * len(bomb))} bytes"):
        inflate(bomb, encoding, 64_000_000, 100)
    assert len(inflate(compress(b"[" + b" " * 1_000_000 + b"]"), encoding, 64_000_000, 1)) == 1_000_002
