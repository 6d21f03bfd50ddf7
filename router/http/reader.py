"""The requests of one connection, from its bytes: sans-I/O, and nothing lost of what is to be handed on.

Reads heads and bodies for whoever serves them here; what another is to look at comes out as the bytes that came.
"""

from router.http import heads
from router.http.heads import Chunks, Head


class Reader:
    """Fed with bytes; `head`, then `body`, give one request after the other. begun: whether anything of the next one
    has come."""

    __slots__ = ("_behind", "_chunks", "_end", "_have", "_parts", "begun")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._have = 0
        self._end = 0
        self._chunks: Chunks | None = None
        self._behind = b""
        self.begun = False

    def feed(self, data: bytes) -> None:
        self.begun = True
        self._parts.append(data)
        self._have += len(data)
        if self._chunks is not None:
            self._behind += self._chunks.feed(data)

    def head(self, most: int) -> Head | bool:
        """The head of the next request; True where more has to come, False where it is not for here: larger than
        `most` bytes, or out of the ordinary."""
        data = self.raw()
        end = heads.find_end(data)
        if end < 0:
            return self._have <= most
        head = heads.read(data[:end])
        if head is None:
            return False
        self._end = end
        if head.length is None:
            self._chunks = Chunks()
            self._behind = self._chunks.feed(data[end:])
        return head

    def body(self, head: Head, most: int) -> bytes | bool:
        """The body of the request whose head was given out; True where more has to come, False where it is not for
        here: larger than `most` bytes, or badly coded. What is behind it is the next request."""
        chunks = self._chunks
        if chunks is not None:
            if chunks.broken or chunks.size > most:
                return False
            if not chunks.done:
                return True
            self._rest(self._behind)
            return b"".join(chunks.parts)
        length = head.length or 0
        if length > most:
            return False
        whole = self._end + length
        if self._have < whole:
            return True
        data = self.raw()
        body = data[self._end : whole]
        self._rest(data[whole:])
        return body

    def raw(self) -> bytes:
        """What has come of the present request, and behind it."""
        if len(self._parts) != 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0]

    def _rest(self, behind: bytes) -> None:
        self._parts = [behind] if behind else []
        self._have = len(behind)
        self.begun = bool(behind)
        self._chunks = None
        self._behind = b""
