"""An event as a CloudEvents 1.0 JSON envelope: attributes of a few strings around the SDK's own JSON.

The attributes are those of the stream's `format=cloudevents` (contract, "Stream out"); their syntax is CloudEvents
1.0.2, sections 2.4 and 3, and its JSON event format. The envelope is built by joining bytes: the event's JSON is never
re-encoded.
"""

from functools import lru_cache
from typing import Final

import msgspec

from router.names import EnvironmentName
from router.records import Event
from router.sse import one_line

TYPE_PREFIX: Final = "flags."
_SECOND: Final = 1000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_LATEST: Final = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z, the last that RFC 3339 can write
_quoted = msgspec.json.Encoder().encode


@lru_cache(maxsize=256)
def source(environment: EnvironmentName) -> str:
    """The `source` of an environment's events."""
    return f"/projects/{environment.project}/environments/{environment.key}"


def timestamp(time: int) -> str:
    """RFC 3339 in UTC with milliseconds. time: unix ms; what lies outside the years 1970 to 9999 is moved there."""
    time = min(max(time, 0), _LATEST)
    days, rest = divmod(time, _DAY)
    hours, rest = divmod(rest, _HOUR)
    minutes, rest = divmod(rest, _MINUTE)
    seconds, milliseconds = divmod(rest, _SECOND)
    return f"{_date(days)}T{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}Z"


def head(environment: EnvironmentName, cursor: str, dialect: str, arrived: int, event: Event) -> bytes:
    """The envelope up to its last attribute, without `data` and the closing brace, for a caller that adds to it."""
    flags, contexts = event.flags, event.contexts
    subject = flags[0] if flags else contexts[0] if contexts else ""
    return b"".join(
        (
            b'{"specversion":"1.0","id":"',
            cursor.encode(),
            b'","source":"',
            source(environment).encode(),
            b'","type":"flags.',
            event.kind.encode(),
            b'","time":"',
            timestamp(event.time).encode(),
            b'","receivedtime":"',
            timestamp(arrived).encode(),
            b'","dialect":',
            _text(dialect),
            b',"name":' + _text(event.name) if event.name else b"",
            b',"subject":' + _text(subject) if subject else b"",
            b',"datacontenttype":"application/json"',
        )
    )


def envelope(environment: EnvironmentName, cursor: str, dialect: str, arrived: int, event: Event) -> bytes:
    """One event as one line of JSON.

    cursor: its place in the environment's log, as readers of the stream see it. dialect, arrived: of its entry; arrived
    in unix ms. Attributes that would be empty are left out: CloudEvents allows no empty string.
    """
    return b"".join((head(environment, cursor, dialect, arrived, event), b',"data":', one_line(event.raw), b"}"))


def _text(text: str) -> bytes:
    try:
        return _quoted(text)
    except UnicodeEncodeError:  # half a surrogate, which no JSON text can hold
        return _quoted(text.encode("utf-8", "replace").decode())


@lru_cache(maxsize=64)
def _date(days: int) -> str:
    """The civil date `days` after 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms")."""
    days += 719_468
    era, day_of_era = divmod(days, 146_097)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_era + era * 400 + (month <= 2)
    return f"{year:04}-{month:02}-{day_of_year - (153 * shifted + 2) // 5 + 1:02}"
