"""What a CloudEvent says: one that another router sent on, or one of any other producer.

Attributes and formats are CloudEvents 1.0.2's; what a router adds to them is in `router/pipeline/outgoing_router.py`.
"""

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

import msgspec

from router.cloudevents import TYPE_PREFIX
from router.dialects.dialect import Origin, Portion, SetAside
from router.dialects.json import decode_tolerant, is_utf8, split_array, split_object, trim
from router.names import Cursor
from router.ranges import Span
from router.records import Event, Kind

MAX_TEXT: Final = 2048  # characters of an id, source or type; CloudEvents wants producers to keep to less
_KINDS: Final = frozenset(kind.value for kind in Kind)
_ABOUT_FLAGS: Final = frozenset({Kind.EVALUATION.value, Kind.EXPOSURE.value, Kind.SUMMARY.value, Kind.CHANGE.value})


class _Envelope(msgspec.Struct, gc=False):
    id: str
    source: str
    type: str
    specversion: str = "1.0"
    time: str | None = None
    subject: str | None = None
    dialect: str | None = None
    routerevent: str | None = None
    routerentry: str | None = None
    data: msgspec.Raw = msgspec.Raw()


class _Extract(msgspec.Struct, array_like=True, gc=False):
    """`routerevent`: the fields of `records.Event` that no attribute holds whole."""

    time: int
    name: str
    flags: tuple[str, ...]
    contexts: tuple[str, ...]
    attributes: dict[str, Any] | None


class _Entry(msgspec.Struct, array_like=True):
    """`routerentry`: what an event's entry says, on the first event of each."""

    dialect: str
    endpoint: str
    arrived: int
    facts: dict[str, Any]


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_EXTRACT: Final = msgspec.json.Decoder(_Extract)
_ENTRY: Final = msgspec.json.Decoder(_Entry)
_TEXTS: Final = tuple(name for name in _Envelope.__struct_fields__ if name != "data")


@dataclass(slots=True)
class Reading:
    """What a post holds."""

    events: list[Event] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    identities: list[bytes] = field(default_factory=list)
    portions: list[Portion] = field(default_factory=list)
    origin: Origin | None = None


def elements(body: bytes, *, batch: bool) -> list[bytes]:
    """The envelopes of a body in structured mode.

    Raises:
        ValueError: it is no JSON array, for a batch, or no JSON object.
    """
    text = trim(body)
    if batch:
        return split_array(text)
    if not text.startswith(b"{"):
        raise ValueError(f"not a JSON object: it begins with {text[:8]!r}")
    return [text]


def read(raws: list[bytes], received: int) -> Reading:
    """Events of any producer. Each is kept whole, envelope included, since that is what was sent.

    received: unix ms; stands in for a time that is not there.
    """
    reading = Reading()
    for raw in raws:
        try:
            envelope = _open(raw)
            event = _foreign(envelope, raw, received)
        except ValueError as error:
            reading.set_aside.append(SetAside(f"not a CloudEvent: {error}", raw))
            continue
        reading.events.append(event)
        identity = f"{envelope.source}\0{envelope.id}".encode("utf-8", "surrogatepass")
        reading.identities.append(blake2b(identity, digest_size=16).digest())
    return reading


def read_relayed(raws: list[bytes], epoch: str, span: Span) -> Reading:
    """Events that another router sent on, from the log of `epoch`: as they stood there.

    Raises:
        ValueError: they are not all of one log.
    """
    reading = Reading()
    sources: set[str] = set()
    offsets: list[int] = []
    for raw in raws:
        try:
            envelope = _open(raw)
            cursor = Cursor.parse(envelope.id)
            if cursor.epoch != epoch or not span[0] <= cursor.offset < span[1]:
                raise ValueError(f"its id {envelope.id[:40]} is not of the range that the batch says")
            if offsets and cursor.offset <= offsets[-1]:
                raise ValueError(f"its id {envelope.id[:40]} is not after the one before")
            event = _original(envelope)
            if not reading.portions or envelope.routerentry is not None:
                reading.portions.append(_portion(envelope, cursor))
        except ValueError as error:
            reading.set_aside.append(SetAside(f"not an event of another router: {error}", raw))
            continue
        portion = reading.portions[-1]
        reading.portions[-1] = Portion(portion.count + 1, portion.dialect, portion.endpoint, portion.facts)
        reading.events.append(event)
        offsets.append(cursor.offset)
        sources.add(envelope.source)
    if len(sources) > 1:
        raise ValueError(f"the batch is of {len(sources)} sources: send one environment's events at a time")
    source = sources.pop() if sources else ""
    reading.origin = Origin(f"{source}#{epoch}", epoch, tuple(offsets), span)
    return reading


def _open(raw: bytes) -> _Envelope:
    if not is_utf8(raw):
        raise ValueError("not UTF-8")
    try:
        envelope = _ENVELOPE.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        members = split_object(raw)
        texts = {name: decode_tolerant(members[name]) for name in _TEXTS if name in members}
        try:
            envelope = msgspec.convert({name: text for name, text in texts.items() if text is not None}, _Envelope)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from error
        envelope.data = msgspec.Raw(members.get("data", b""))
    if not envelope.specversion.startswith("1."):
        raise ValueError(f"specversion {envelope.specversion[:10]!r} is not spoken here: send 1.0")
    for name, text in (("id", envelope.id), ("source", envelope.source), ("type", envelope.type)):
        if not text or len(text) > MAX_TEXT:
            raise ValueError(f"{name} must have 1 to {MAX_TEXT} characters")
    return envelope


def _original(envelope: _Envelope) -> Event:
    kind = envelope.type.removeprefix(TYPE_PREFIX)
    if kind not in _KINDS or envelope.routerevent is None:
        raise ValueError(f"type {envelope.type[:40]!r} without routerevent is none that a router sends")
    raw = bytes(envelope.data)
    if not raw:
        raise ValueError("it has no data")
    try:
        extract = _EXTRACT.decode(envelope.routerevent)
    except msgspec.DecodeError as error:
        raise ValueError(f"routerevent: {error}") from error
    return Event(kind, extract.time, extract.name, extract.flags, extract.contexts, extract.attributes, raw)


def _portion(envelope: _Envelope, cursor: Cursor) -> Portion:
    if envelope.routerentry is None:
        raise ValueError("the first event of a batch has no routerentry")
    try:
        entry = _ENTRY.decode(envelope.routerentry)
    except msgspec.DecodeError as error:
        raise ValueError(f"routerentry: {error}") from error
    origin: dict[str, Any] = {"source": envelope.source, "first": str(cursor), "arrived": entry.arrived}
    if "origin" in entry.facts:  # it has come through more than one router
        origin["origin"] = entry.facts["origin"]
    return Portion(0, entry.dialect, entry.endpoint, {**entry.facts, "origin": origin})


def _foreign(envelope: _Envelope, raw: bytes, received: int) -> Event:
    kind = envelope.type.removeprefix(TYPE_PREFIX) if envelope.type.startswith(TYPE_PREFIX) else ""
    kind = kind if kind in _KINDS else Kind.OTHER.value
    subject = _storable(envelope.subject or "")
    about_flags = kind in _ABOUT_FLAGS and bool(subject)
    return Event(
        kind,
        _milliseconds(envelope.time, received),
        _storable(envelope.type),
        (subject,) if about_flags else (),
        (f"subject:{subject}",) if subject and not about_flags else (),
        None,
        raw,
    )


def _milliseconds(text: str | None, received: int) -> int:
    """RFC 3339 as unix ms; `received` where it is none, or has no zone."""
    try:
        when = datetime.fromisoformat(text or "")
        if when.tzinfo is None:
            return received
        return max(0, int(when.timestamp() * 1000))
    except (ValueError, OverflowError):
        return received


def _storable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
