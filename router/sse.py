"""Server-sent events: frames out, and a strict incremental parser for clients and tests.

The format is the WHATWG HTML standard's, section 9.2; what LaunchDarkly's own clients need beyond it is in the shared
protocol notes, launchdarkly.md section 3.4.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

HEARTBEAT: Final = b":\n\n"
_BREAK: Final = re.compile(rb"\r\n|\r|\n")
_FORBIDDEN: Final = re.compile(r"[\x00-\x1f\x7f]")


def one_line(json: bytes) -> bytes:
    """JSON text on one line: a line break can only stand between tokens there, so a space means the same."""
    if b"\n" in json or b"\r" in json:
        return json.replace(b"\r", b" ").replace(b"\n", b" ")
    return json


def message(cursor: str, json: bytes) -> bytes:
    """An event's frame: without an `event:` field, so that a browser's `onmessage` sees it."""
    return b"id: %b\ndata: %b\n\n" % (cursor.encode(), one_line(json))


def out_of_band(name: str, json: bytes, *, cursor: str | None = None) -> bytes:
    """A frame about the stream itself: `gap`, `reset`, `busy`.

    Raises:
        ValueError: `name` holds a control character, which could forge further fields.
    """
    if _FORBIDDEN.search(name):
        raise ValueError(f"{name!r} cannot name a message: it holds a control character")
    head = b"" if cursor is None else b"id: %b\n" % cursor.encode()
    return head + b"event: %b\ndata: %b\n\n" % (name.encode(), one_line(json))


def retry(milliseconds: int) -> bytes:
    """A `retry:` line. Without a blank line after it: Go's client would hand on such a block as an empty event."""
    return b"retry: %d\n" % milliseconds


@dataclass(frozen=True, slots=True)
class Message:
    """A message as a client gets it. `id` is the last event ID in force, `event` is `message` by default."""

    event: str
    data: str
    id: str


class Parser:
    """Bytes in, messages out, in whatever pieces the bytes come.

    `retry` is the last reconnection time the server asked for, in milliseconds; `last_id` survives between messages.
    """

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        self.retry: int | None = None
        self.comments = 0
        self._rest = b""
        self._event = ""
        self._data: list[str] = []
        self._begun = False

    def feed(self, data: bytes) -> Iterator[Message]:
        """Messages that `data` completes. Use it up: parsing goes on as it is stepped."""
        text = self._rest + data
        if not self._begun and text:
            if b"\xef\xbb\xbf".startswith(text):
                self._rest = text
                return
            text = text.removeprefix(b"\xef\xbb\xbf")
            self._begun = True
        start = 0
        for match in _BREAK.finditer(text):
            if match.end() == len(text) and match[0] == b"\r":
                break  # its line feed may come with the next bytes
            line = text[start : match.start()]
            start = match.end()
            found = self._line(line)
            if found is not None:
                yield found
        self._rest = text[start:]

    def _line(self, line: bytes) -> Message | None:
        if not line:
            found = Message(self._event or "message", "\n".join(self._data), self.last_id) if self._data else None
            self._event, self._data = "", []
            return found
        name, _, value = line.partition(b":")
        if not name:
            self.comments += 1
            return None
        text = value.removeprefix(b" ").decode("utf-8", "replace")
        if name == b"data":
            self._data.append(text)
        elif name == b"event":
            self._event = text
        elif name == b"id" and "\0" not in text:
            self.last_id = text
        elif name == b"retry" and text.isascii() and text.isdigit():
            self.retry = int(text)
        return None
