"""What a request for a stream asks for, told before the stream begins: pure, so that any front can use it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from router.names import Cursor
from router.pipeline.consumers import check_name
from router.pipeline.environments import Environment
from router.pipeline.filters import Filter
from router.pipeline.frames import CLOUDEVENTS, CLOUDEVENTS_LINES, RAW, RAW_LINES, Format
from router.records import Kind

EVENT_STREAM: Final = "text/event-stream"
NDJSON: Final = "application/x-ndjson"
_FILTERS: Final = {"kind": "kinds", "name": "names", "flag": "flags", "context": "contexts", "dialect": "dialects"}
_OTHERS: Final = ("from", "until", "format", "consumer", "token", "project", "environment", "Last-Event-ID")
_MOST_VALUES: Final = 1000
_FORMATS: Final = {
    ("raw", False): RAW,
    ("raw", True): RAW_LINES,
    ("cloudevents", False): CLOUDEVENTS,
    ("cloudevents", True): CLOUDEVENTS_LINES,
}

Query = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A good request. last: a `Last-Event-ID`; start: `from`; until: as given; lines: NDJSON instead of server-sent
    events; gzip: whether the client takes it (NDJSON alone is compressed)."""

    wanted: Filter
    style: Format
    last: str | None = None
    start: str = "latest"
    until: str | None = None
    consumer: str | None = None
    lines: bool = False
    gzip: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """Where a stream begins: the first offset wanted, and the cursor of another epoch that it was asked with."""

    offset: int
    foreign: str | None = None


def parse(query: Query, headers: Mapping[str, str]) -> Asked:
    """headers: by lower-case name.

    Raises:
        ValueError: a parameter that does not exist, or a value that it cannot have; nothing was begun.
    """
    for name in query:
        if name not in _FILTERS and name not in _OTHERS and not name.startswith("_"):
            known = ", ".join((*_FILTERS, *_OTHERS))
            raise ValueError(f"there is no parameter {name[:40]!r}: known are {known}")
    chosen = {field: _members(query, name) for name, field in _FILTERS.items()}
    kinds = chosen["kinds"]
    if kinds is not None and (unknown := kinds - set(Kind)):
        raise ValueError(f"there is no kind {min(unknown)[:40]!r}: known are {', '.join(Kind)}")
    lines = _accepts_lines(headers.get("accept", ""))
    style = _FORMATS.get((_one(query, "format") or "raw", lines))
    if style is None:
        raise ValueError(f"format is {(_one(query, 'format') or '')[:40]!r}: choose raw or cloudevents")
    last = headers.get("last-event-id") or _one(query, "Last-Event-ID")
    until, consumer = _one(query, "until"), _one(query, "consumer")
    if until is not None and until != "now" and moment(until) is None:
        raise ValueError(f"until is {until[:40]!r}: give `now` or a time, in milliseconds or ISO 8601")
    if consumer is not None:
        check_name(consumer)
    gzip = "gzip" in headers.get("accept-encoding", "")
    return Asked(Filter(**chosen), style, last, _one(query, "from") or "latest", until, consumer, lines, gzip)


def begin(environment: Environment, asked: Asked) -> Start:
    """Where a stream begins: after `last`, else after what its consumer has acknowledged, else at `start`.

    Raises:
        ValueError: neither a cursor, nor a time, nor `latest` or `earliest`.
        Damaged: a time cannot be looked up.
    """
    log, end = environment.log, environment.watermark.end
    cursor: Cursor | None = None
    if asked.last:
        cursor = Cursor.parse(asked.last)
    elif asked.consumer is not None:
        cursor = environment.consumers.start(asked.consumer)
    if cursor is None:
        if asked.start == "latest":
            return Start(end)
        if asked.start == "earliest":
            return Start(log.low)
        if (time := moment(asked.start)) is not None:
            return Start(log.offset_at(time, end))
        cursor = Cursor.parse(asked.start)
    if cursor.epoch != log.epoch or cursor.offset >= end:
        # Not of this log's life: what the reader has not seen begins with the oldest event that is kept.
        return Start(log.low, str(cursor))
    return Start(cursor.offset + 1)


def moment(text: str) -> int | None:
    """Unix ms of a time in milliseconds or ISO 8601; None where `text` is neither. Without a zone it is UTC."""
    if text.isascii() and text.isdigit():
        return min(int(text), 2**63 - 1)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return round(time.timestamp() * 1000)


def _one(query: Query, name: str) -> str | None:
    values = query.get(name) or ()
    if len(values) > 1 and name != "token":
        raise ValueError(f"{name} is given {len(values)} times: give it once")
    return (values[0] or None) if values else None


def _members(query: Query, name: str) -> frozenset[str] | None:
    """The members of a comma list, which may also be given in several parameters."""
    if name not in query:
        return None
    members = frozenset(part for value in query[name] for part in value.split(",") if part)
    if not members:
        raise ValueError(f"{name} is empty: name one or more, with commas between, or leave it out")
    if len(members) > _MOST_VALUES:
        raise ValueError(f"{name} names {len(members)}: {_MOST_VALUES} are the most")
    return members


def _accepts_lines(accept: str) -> bool:
    """Whether NDJSON is asked for; server-sent events win where both are."""
    types = [part.split(";")[0].strip().lower() for part in accept.split(",")]
    return NDJSON in types and EVENT_STREAM not in types
