"""What a forward's target speaks: stored events in, one request out. Pure: no socket, no clock."""

import gzip
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID, uuid5

from router import __version__
from router.pipeline.delivery import Answer, Verdict
from router.pipeline.selection import Selection
from router.records import Entry, Event

AGENT: Final = f"flag-event-router/{__version__}"
_NAMES: Final = UUID("6f0b6f54-3c1a-5f7e-9d7b-0a4b0c5f9d11")  # the name space of payload ids that are made here
_WORTH: Final = 1024  # bytes from which a body is compressed
_LARGE: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Post:
    """A request to send: a whole URL, headers and a body, already encoded as the headers say."""

    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Unsendable(Exception):
    """An entry that this target cannot be given; it is passed over and counted, and stays in the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Outgoing(Protocol):
    """One target's way of being posted to.

    in_flight: requests at once; 1 where the order matters. entries, size: what one request holds at most: entries of
    the log, and bytes of event JSON, roughly. linger: seconds to gather more before a request that has room.
    """

    in_flight: int
    entries: int
    size: int
    linger: float

    def wanted(self, entry: Entry, event: Event) -> bool:
        """Whether the target can be given this event at all."""
        ...

    def build(self, selection: Selection, now: int) -> Post:
        """The request for a selection of at least one event. now: unix ms; the same selection makes the same request
        at any time, but for headers that say when it was sent.

        Raises:
            Unsendable: it has no place at this target.
        """
        ...

    def judge(self, answer: Answer, now: int) -> Verdict:
        """What the target's answer means."""
        ...


def compressed(body: bytes) -> tuple[tuple[tuple[str, str], ...], bytes]:
    """The headers and bytes of `body` with gzip, which both vendors' own senders use; as it is where it is small."""
    if len(body) < _WORTH:
        return (), body
    level = 6 if len(body) < _LARGE else 1  # it holds the loop, and 1 is three times as fast
    return (("Content-Encoding", "gzip"),), gzip.compress(body, level, mtime=0)


def payload_id(selection: Selection, own: str | None = None) -> str:
    """An id that is equal for a repeat of the same events and for nothing else: the SDK's own where its request goes on
    whole."""
    piece = selection.slices[0]
    if own and len(selection.slices) == 1 and piece.whole:
        return own
    first, last = piece.events[0][0], selection.slices[-1].events[-1][0]
    return str(uuid5(_NAMES, f"{own or ''} {selection.epoch} {first} {last} {selection.events}"))
