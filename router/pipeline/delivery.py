"""What an answer to a forwarded request means, and what is done about it. Pure: no clock, no socket.

Nothing is ever dropped in silence: what a target will not take is cut smaller until one event is left, and that one is
set aside where an operator can read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import Final

LONGEST: Final = 24 * 3600.0  # seconds of a Retry-After that are believed


@dataclass(frozen=True, slots=True)
class Answer:
    """What a target answered. headers: names in lower case. body: its beginning."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class Outcome(Enum):
    """DELIVERED: it is there. RETRY: the same again, later. SPLIT: too much, or something in it is at fault: halves.
    PARK: nothing will be taken until somebody changes something; look again now and then."""

    DELIVERED = auto()
    RETRY = auto()
    SPLIT = auto()
    PARK = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """after: seconds that the target asked to wait, or None. reason: for people."""

    outcome: Outcome
    reason: str = ""
    after: float | None = None


_RETRIED: Final = frozenset({408, 409, 421, 423, 425, 429})
_SPLIT: Final = frozenset({400, 413, 422})
_PARKED: Final = {
    401: "it does not know the key or token",
    402: "it wants payment",
    403: "the key or token may not post there",
    404: "there is no such path: check url",
    405: "there is no such path: check url",
    407: "a proxy wants a password",
    410: "it is gone: check url",
    415: "it does not take the content type: check to and url",
}


def judge(answer: Answer, now: int) -> Verdict:
    """What `answer` means by its status alone. now: unix ms, for a Retry-After that is a date."""
    status = answer.status
    if 200 <= status < 300:
        return Verdict(Outcome.DELIVERED)
    said = f"{status} {_said(answer.body)}".rstrip()
    if status in _SPLIT:
        return Verdict(Outcome.SPLIT, said)
    if status in _RETRIED or status >= 500 or status < 200:
        return Verdict(Outcome.RETRY, said, retry_after(answer.headers.get("retry-after"), now))
    if status < 400:
        where = answer.headers.get("location", "")[:100]
        return Verdict(Outcome.PARK, f"{status}: it is at {where!r} now, and redirects are not followed: check url")
    return Verdict(Outcome.PARK, f"{said}: {_PARKED.get(status, 'it refuses all requests of this kind')}")


def retry_after(text: str | None, now: int) -> float | None:
    """Seconds to wait by a Retry-After header (RFC 9110, 10.2.3); None where it says nothing that can be used."""
    if not text:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return min(float(text), LONGEST)
    try:
        when = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, when - now / 1000), LONGEST)


def _said(body: bytes) -> str:
    """The beginning of a body on one line, printable."""
    text = body[:200].decode("utf-8", "replace")
    return "".join(sign if sign.isprintable() else " " for sign in text).strip()
