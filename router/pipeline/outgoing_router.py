"""To another router: CloudEvents batches that carry each event as it stands here, with its cursor.

Beside the attributes of the stream each event has `routerevent`, a JSON array of its time, name, flags, contexts and
attributes, and the first event of each entry `routerentry`, a JSON array of the entry's dialect, endpoint, arrival
stamp and facts. Both are strings, as CloudEvents wants extensions to be. The header `Router-Range: EPOCH-FIRST..END`
says which offsets the batch deals with, those that were filtered out included. The other side is
`dialects/cloudevents_events.py`.
"""

import sys
from typing import Final
from urllib.parse import urlencode

import msgspec

from router.cloudevents import head
from router.names import EnvironmentName
from router.pipeline.delivery import Answer, Outcome, Verdict, judge
from router.pipeline.outgoing import AGENT, Post
from router.pipeline.selection import Selection
from router.records import Entry, Event

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CONTENT_TYPE: Final = "application/cloudevents-batch+json"
SIZE: Final = 256 * 1024  # bytes of event JSON in a batch; a few tens of thousands on the wire, 10 MB less in memory
_LEVEL: Final = 3
_encode = msgspec.json.Encoder().encode


class ToRouter:
    """url: of the other router. token: one of its API tokens, of scope `ingest`. environment: this log's, and there."""

    in_flight = 1  # the other log is to have the events in this one's order
    entries = 2048
    size = SIZE
    linger = 0.05

    def __init__(self, url: str, token: str, environment: EnvironmentName) -> None:
        query = urlencode({"project": environment.project, "environment": environment.key})
        self._url = f"{url.rstrip('/')}/v1/cloudevents?{query}"
        self._token = token
        self._environment = environment

    def wanted(self, entry: Entry, event: Event) -> bool:
        return True

    def build(self, selection: Selection, now: int) -> Post:
        first, end = selection.span
        headers = (
            ("Authorization", f"Bearer {self._token}"),
            ("Content-Type", CONTENT_TYPE),
            ("Content-Encoding", "zstd"),
            ("Router-Range", f"{selection.epoch}-{first}..{end}"),
            ("User-Agent", AGENT),
        )
        return Post(self._url, headers, zstd.compress(batch(self._environment, selection, whole=True), _LEVEL))

    def judge(self, answer: Answer, now: int) -> Verdict:
        """A success without a router's own header is none: captive portals answer 200 to everything."""
        verdict = judge(answer, now)
        if verdict.outcome is Outcome.DELIVERED and "router-durability" not in answer.headers:
            return Verdict(Outcome.RETRY, f"{answer.status}, but not by a router: something in between answered")
        return verdict


def batch(environment: EnvironmentName, selection: Selection, *, whole: bool) -> bytes:
    """A CloudEvents JSON batch. whole: with what another router needs to store the events as they stand here."""
    parts: list[bytes] = []
    for piece in selection.slices:
        entry = piece.entry
        extra = b',"routerentry":' + _quoted((entry.dialect, entry.endpoint, entry.arrived, entry.facts))
        for offset, event in piece.events:
            parts.append(b"[" if not parts else b",")
            parts.append(head(environment, f"{selection.epoch}-{offset}", entry.dialect, entry.arrived, event))
            if whole:
                parts.append(extra)
                extra = b""
                told = (event.time, event.name, event.flags, event.contexts, event.attributes)
                parts.append(b',"routerevent":' + _quoted(told))
            parts.append(b',"data":')
            parts.append(event.raw)
            parts.append(b"}")
    parts.append(b"]" if parts else b"[]")
    return b"".join(parts)


def _quoted(value: object) -> bytes:
    return _encode(_encode(value).decode())
