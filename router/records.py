"""What the log stores: one entry per accepted request, holding its events as they came.

An entry is a msgpack array `[1, arrived, dialect, endpoint, facts, events]`, each event an array of the fields of
`Event`. The JSON of an event is kept as bytes exactly as received, so that nothing is re-encoded on the way out
(measured: an envelope around verbatim JSON costs 0.2 µs an event in and out, re-encoding the JSON 2.1 µs).

A larger entry is `[2, arrived, packed]`, where `packed` is an LZ4 block of the array `[dialect, endpoint, facts,
events]` behind its size: the events of one request repeat each other, so that recorded ones become a fourth to a ninth,
and what is not written, checked and copied is saved three times (docs/decisions/004).
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

import lz4.block
import msgpack
import msgspec

PLAIN: Final = 1
PACKED: Final = 2
WORTH: Final = 1024  # bytes of an entry from which compressing it is tried: of single events little would come
# 0.08 µs an event; msgpack's own packer makes the same bytes in 0.28 (measured).
_pack: Final = msgspec.msgpack.Encoder().encode
# An array of six, or of three: the version, then a uint64, the stamp.
_PLAIN: Final = b"\x96" + msgpack.packb(PLAIN) + b"\xcf"
_PACKED: Final = b"\x93" + msgpack.packb(PACKED) + b"\xcf"
_HEADER: Final = len(_PLAIN) + 8  # bytes
_FOUR: Final = b"\x94"  # an array of four
_new: Final = tuple.__new__  # half the cost of the constructor that NamedTuple generates
_BINARY: Final = frozenset((b"\xc4", b"\xc5", b"\xc6"))  # what a msgpack binary begins with
_BYTES: Final = msgspec.msgpack.Decoder(bytes)
_MOST_RATIO: Final = 256  # times its size that an LZ4 block can become at most; one that says more is damaged


class Kind(StrEnum):
    """Canonical kinds: every event has exactly one (shared protocol notes, statsig-and-others section 6.1)."""

    EVALUATION = "evaluation"
    EXPOSURE = "exposure"
    SUMMARY = "summary"
    CUSTOM = "custom"
    IDENTIFY = "identify"
    CHANGE = "change"
    DIAGNOSTIC = "diagnostic"
    OTHER = "other"


class Event(NamedTuple):
    """One event: what filters and insights need, extracted once, and the vendor's JSON.

    kind: canonical kind.
    time: when it happened, unix ms, corrected for the sender's clock where the dialect can.
    name: the vendor's own kind or event name (`feature`, `statsig::gate_exposure`, `purchase`).
    flags: keys of the flags it is about; a summary has many, a custom event none.
    contexts: `kind:key` of every context or user it is about.
    attributes: further extracted facts by name (`reason`, `variation`, `tier`, …), or None where there are none.
    raw: its JSON as received.
    """

    kind: str
    time: int
    name: str
    flags: tuple[str, ...]
    contexts: tuple[str, ...]
    attributes: dict[str, Any] | None
    raw: bytes


class Entry(NamedTuple):
    """One stored request.

    arrived: commit stamp, unix ms, never less than that of the entry before.
    facts: request-level facts worth keeping: payload id, client time, tags, SDK name and version, vendor metadata.
    """

    arrived: int
    dialect: str
    endpoint: str
    facts: dict[str, Any]
    events: tuple[Event, ...]


class _RawEvent(msgspec.Struct, array_like=True, gc=False):
    kind: msgspec.Raw
    time: msgspec.Raw
    name: msgspec.Raw
    flags: msgspec.Raw
    contexts: msgspec.Raw
    attributes: msgspec.Raw
    raw: bytes


class _RawEntry(msgspec.Struct, array_like=True, gc=False):
    dialect: msgspec.Raw
    endpoint: msgspec.Raw
    facts: msgspec.Raw
    events: list[_RawEvent]


_RAWS: Final = msgspec.msgpack.Decoder(_RawEntry)
_CONTENT: Final = msgspec.msgpack.Decoder(tuple[str, str, dict[str, Any], tuple[Event, ...]])


def pack_body(dialect: str, endpoint: str, facts: dict[str, Any], events: list[Event]) -> bytes:
    """All of an entry but its stamp: done once by the request's own task, so the committer only copies bytes."""
    return _body(b"".join((_FOUR, _pack(dialect), _pack(endpoint), _pack(facts), _pack(events))))


def select(body: bytes, places: Sequence[int]) -> bytes:
    """`pack_body`'s bytes with the events at `places` alone."""
    content = _inflate(body) if body[:1] in _BINARY else _FOUR + body
    *head, events = msgpack.unpackb(content, use_list=False)
    return _body(b"".join((_FOUR, *map(_pack, (*head, [events[place] for place in places])))))


def seal(arrived: int, body: bytes) -> bytes:
    """The stored form of an entry: `pack_body`'s bytes under a commit stamp."""
    return b"".join((_PACKED if body[:1] in _BINARY else _PLAIN, arrived.to_bytes(8, "big"), body))


def arrival(stored: bytes) -> int:
    """The commit stamp of a stored entry, without unpacking the rest: a search by time reads thirty of them.

    Raises:
        ValueError: the bytes are no entry of a version this router reads.
    """
    if stored[: len(_PLAIN)] not in (_PLAIN, _PACKED) or len(stored) < _HEADER:
        raise ValueError(f"not an entry of version {PLAIN} or {PACKED}: it begins with {stored[:4].hex()!r}")
    return int.from_bytes(stored[len(_PLAIN) : _HEADER], "big")


def raws(stored: bytes) -> list[bytes]:
    """The JSON of an entry's events, without the rest: a third of the cost of `unpack`.

    Raises:
        ValueError: as `unpack`.
    """
    try:
        return [event.raw for event in _RAWS.decode(_content(stored)).events]
    except msgspec.DecodeError:
        return [event.raw for event in unpack(stored).events]


def unpack(stored: bytes) -> Entry:
    """The entry that `seal` made.

    Raises:
        ValueError: the bytes are no entry of a version this router reads.
    """
    content = _content(stored)
    arrived = int.from_bytes(stored[len(_PLAIN) : _HEADER], "big")
    try:
        # Knowing what is there makes it half as long; what is not as it should be is told below.
        return _new(Entry, (arrived, *_CONTENT.decode(content)))
    except msgspec.DecodeError:
        pass
    try:
        dialect, endpoint, facts, events = msgpack.unpackb(content, use_list=False)
        return Entry(arrived, dialect, endpoint, facts, tuple(map(Event._make, events)))
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise ValueError(f"not an entry: {error}") from error


def _body(content: bytes) -> bytes:
    if len(content) >= WORTH:
        packed = lz4.block.compress(content)
        if len(packed) < len(content):
            return msgspec.msgpack.encode(packed)
    return content[len(_FOUR) :]


def _content(stored: bytes) -> bytes:
    """The array `[dialect, endpoint, facts, events]` of a stored entry."""
    if len(stored) >= _HEADER:
        if stored.startswith(_PACKED):
            return _inflate(stored[_HEADER:])
        if stored.startswith(_PLAIN):
            return _FOUR + stored[_HEADER:]
    try:
        version, *_ = msgpack.unpackb(stored, use_list=False)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise ValueError(f"not an entry: {error}") from error
    raise ValueError(f"entry version {version} is not known; this router reads versions {PLAIN} and {PACKED}")


def _inflate(body: bytes) -> bytes:
    """The content of a `pack_body` that has been compressed."""
    try:
        packed = _BYTES.decode(body)
        size = int.from_bytes(packed[:4], "little")
        if size <= _MOST_RATIO * len(packed):
            content: bytes = lz4.block.decompress(packed)
            return content
    except (ValueError, lz4.block.LZ4BlockError) as error:
        raise ValueError(f"not an entry: {error}") from error
    raise ValueError(f"not an entry: {len(packed)} bytes cannot hold {size}")
