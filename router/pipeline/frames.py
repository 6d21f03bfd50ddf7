"""What events look like on their way out: as sent or in a CloudEvents envelope, as server-sent events or as lines."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from router import sse
from router.cloudevents import envelope
from router.names import EnvironmentName
from router.records import Entry, Event

Frame = Callable[[EnvironmentName, str, Entry, Event], bytes]


@dataclass(frozen=True, slots=True)
class Format:
    """A way to write an event. name: unique, what frames are cached under."""

    name: str
    frame: Frame


def _raw(_name: EnvironmentName, cursor: str, _entry: Entry, event: Event) -> bytes:
    raw = event.raw
    if b"\n" in raw or b"\r" in raw:
        raw = sse.one_line(raw)
    return b"id: %b\ndata: %b\n\n" % (cursor.encode(), raw)


def _cloudevent(name: EnvironmentName, cursor: str, entry: Entry, event: Event) -> bytes:
    return sse.message(cursor, envelope(name, cursor, entry.dialect, entry.arrived, event))


def _raw_line(_name: EnvironmentName, _cursor: str, _entry: Entry, event: Event) -> bytes:
    return sse.one_line(event.raw) + b"\n"


def _cloudevent_line(name: EnvironmentName, cursor: str, entry: Entry, event: Event) -> bytes:
    return envelope(name, cursor, entry.dialect, entry.arrived, event) + b"\n"


RAW: Final = Format("raw", _raw)
CLOUDEVENTS: Final = Format("cloudevents", _cloudevent)
RAW_LINES: Final = Format("raw lines", _raw_line)
CLOUDEVENTS_LINES: Final = Format("cloudevents lines", _cloudevent_line)
