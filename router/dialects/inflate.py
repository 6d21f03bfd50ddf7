"""Bodies as sent, decompressed under a bound: no input makes more than `max_inflated` bytes of memory."""

import sys
import zlib
from typing import Final

from router.errors import Fault, Rejected

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_RATIO: Final = 250  # event batches inflate to 10 to 60 times their size (measured on recorded ones)
FREE: Final = 1024 * 1024  # bytes up to which no ratio is looked at: a small body of one repeated event inflates a lot
GZIP_MAGIC: Final = b"\x1f\x8b"
ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"


def gunzip(body: bytes, max_inflated: int, max_ratio: int = MAX_RATIO) -> bytes:
    """Decompress gzip or zlib data, several gzip members included.

    Raises:
        Rejected: broken, cut short, larger than `max_inflated` bytes, or than `max_ratio` times its size where that is
            beyond a mebibyte.
    """
    parts: list[bytes] = []
    limit = room = _room(body, max_inflated, max_ratio)
    rest = body
    while rest:
        inflater = zlib.decompressobj(wbits=47)
        try:
            part = inflater.decompress(rest, room + 1)
        except zlib.error as error:
            raise Rejected(Fault.MALFORMED, f"the body is not gzip although it says so: {error}") from error
        room -= len(part)
        if room < 0:
            raise _too_large(limit)
        if not inflater.eof:
            raise Rejected(Fault.MALFORMED, "the gzip body is cut short")
        parts.append(part)
        rest = inflater.unused_data.lstrip(b"\0")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def unzstd(body: bytes, max_inflated: int, max_ratio: int = MAX_RATIO) -> bytes:
    """Decompress zstd data, several frames included.

    Raises:
        Rejected: as `gunzip`.
    """
    parts: list[bytes] = []
    limit = room = _room(body, max_inflated, max_ratio)
    rest = body
    while rest:
        inflater = zstd.ZstdDecompressor()
        try:
            part = inflater.decompress(rest, room + 1)
        except zstd.ZstdError as error:
            raise Rejected(Fault.MALFORMED, f"the body is not zstd although it says so: {error}") from error
        room -= len(part)
        if room < 0:
            raise _too_large(limit)
        if not inflater.eof:
            raise Rejected(Fault.MALFORMED, "the zstd body is cut short")
        parts.append(part)
        rest = inflater.unused_data
    return parts[0] if len(parts) == 1 else b"".join(parts)


def inflate(body: bytes, encoding: str, max_inflated: int, max_ratio: int = MAX_RATIO) -> bytes:
    """The content of `body`, by its `Content-Encoding` or, where that says nothing, by its magic bytes.

    Raises:
        Rejected: an encoding that is not spoken, or a body that is broken or too large.
    """
    encoding = encoding.lower()
    if "gzip" in encoding or "deflate" in encoding or (not encoding and body.startswith(GZIP_MAGIC)):
        # Proxies are known to decompress and leave the header: a body that is JSON already is taken as it is.
        return body if body[:1] in (b"[", b"{") else gunzip(body, max_inflated, max_ratio)
    if "zstd" in encoding or (not encoding and body.startswith(ZSTD_MAGIC)):
        return body if body[:1] in (b"[", b"{") else unzstd(body, max_inflated, max_ratio)
    if encoding not in ("", "identity"):
        raise Rejected(Fault.MALFORMED, f"content-encoding {encoding[:40]!r} is not spoken here: use gzip or zstd")
    if len(body) > max_inflated:
        raise _too_large(max_inflated)
    return body


def _room(body: bytes, max_inflated: int, max_ratio: int) -> int:
    return min(max_inflated, max(FREE, max_ratio * len(body)))


def _too_large(max_inflated: int) -> Rejected:
    return Rejected(Fault.MALFORMED, f"the body inflates to more than {max_inflated} bytes: send smaller batches")
