"""Request heads, read with a C parser: what a fast front needs of them, or nothing where another must look closer.

Pure. Whatever is unusual is left to the plain route with the bytes as they came, so that both say the same about it.
"""

from functools import lru_cache
from typing import Final

import httptools
from msgspec import Struct

MAX_CHUNK_LINE: Final = 256  # bytes of a chunk's size line
_END: Final = b"\r\n\r\n"
_ONCE: Final = frozenset({"content-length", "transfer-encoding", "host", "authorization"})
_LEFT_TO_OTHERS: Final = frozenset({"expect", "upgrade", "trailer"})


class Head(Struct, frozen=True):
    """A request's head. target: as sent. headers: by lower-case name, repeated ones joined by `, `.

    length: bytes of the body, None where it is chunked. close: whether the connection is to end with the answer.
    """

    method: str
    target: str
    headers: dict[str, str]
    length: int | None
    close: bool


class _Collector:
    """What the parser calls back."""

    __slots__ = ("headers", "target", "twice")

    def __init__(self) -> None:
        self.target = b""
        self.headers: dict[str, str] = {}
        self.twice = False  # whether something came again that may come once

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, raw: bytes, value: bytes) -> None:
        name, text, headers = _name(raw), str(value, "latin-1"), self.headers
        if name in headers:
            self.twice = self.twice or name in _ONCE
            text = f"{headers[name]}, {text}"
        headers[name] = text


@lru_cache(1024)
def _name(raw: bytes) -> str:
    return raw.decode("latin-1").lower()


def find_end(data: bytes | bytearray) -> int:
    """Where the head ends, its empty line included; -1 where that has not come."""
    place = data.find(_END)
    return -1 if place < 0 else place + len(_END)


def read(data: bytes) -> Head | None:
    """The head in `data`, which is one head to its end; None where the plain route is to look at it."""
    collector = _Collector()
    parser = httptools.HttpRequestParser(collector)
    try:
        parser.feed_data(data)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None
    headers = collector.headers
    if collector.twice or parser.get_http_version() != "1.1":
        return None
    if not _LEFT_TO_OTHERS.isdisjoint(headers) or "host" not in headers:
        return None
    coding, declared = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is not None:
        if declared is not None or coding.lower() != "chunked":
            return None
        length = None
    elif declared is None:
        length = 0
    elif declared.isascii() and declared.isdigit():
        length = int(declared)
    else:
        return None
    connection = headers.get("connection", "").lower()
    if connection not in ("", "keep-alive", "close"):
        return None
    method, target = str(parser.get_method(), "latin-1"), str(collector.target, "latin-1")
    return Head(method, target, headers, length, connection == "close")


class Chunks:
    """Takes the chunked coding off a body, piece by piece. Strict: anything out of the ordinary is `broken`."""

    def __init__(self) -> None:
        self.done = False
        self.broken = False
        self.parts: list[bytes] = []
        self.size = 0
        self._rest = b""
        self._left = 0
        self._state = "size"

    def feed(self, data: bytes) -> bytes:
        """Take `data`; returns what of it is behind the end of the body."""
        data = self._rest + data if self._rest else data
        self._rest = b""
        place = 0
        while not (self.done or self.broken):
            if self._state == "data":
                part = data[place : place + self._left]
                if not part:
                    break
                self.parts.append(part)
                self.size += len(part)
                self._left -= len(part)
                place += len(part)
                if not self._left:
                    self._state = "break"
                continue
            end = data.find(b"\r\n", place)
            if end < 0:
                self._rest = data[place:]
                self.broken = len(self._rest) > MAX_CHUNK_LINE
                break
            line, place = data[place:end], end + 2
            self._line(line)
        if self.done:
            return data[place:]
        return b""

    def _line(self, line: bytes) -> None:
        if self._state == "break":
            self.broken = bool(line)
            self._state = "size"
        elif self._state == "last":
            self.broken = bool(line)  # a trailer, which nobody sends
            self.done = not line
        else:
            digits = line.split(b";", 1)[0]
            if not digits or len(digits) > 8 or any(digit not in b"0123456789abcdefABCDEF" for digit in digits):
                self.broken = True
                return
            self._left = int(digits, 16)
            self._state = "data" if self._left else "last"
