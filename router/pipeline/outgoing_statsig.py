"""To Statsig: each request as its SDK sent it, but for the time that it says it was sent at.

Same path, same events byte for byte, same metadata and user. Statsig corrects the times of events by the difference
between its clock and `statsig-client-time`, so that header tells what the SDK's clock shows now: the correction comes
out the same as it would have then, however late the request is. Facts are from protocols/statsig-and-others.md, section
1.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from router.config.model import Environment
from router.credentials import fingerprint
from router.pipeline.delivery import Answer, Outcome, Verdict, judge
from router.pipeline.outgoing import AGENT, Post, Unsendable, compressed
from router.pipeline.selection import Selection
from router.records import Entry, Event

_PATHS: Final = frozenset({"log_event", "rgstr", "rgstr_b", "log_event_beacon", "sdk_exception", "log_custom_exposure"})
_HEADERS: Final[Mapping[str, str]] = {
    "sdk": "statsig-sdk-type",
    "sdk_version": "statsig-sdk-version",
    "session": "statsig-server-session-id",
    "service": "x-request-service",
    "language_version": "statsig-sdk-language-version",
}
_encode = msgspec.json.Encoder().encode


class ToStatsig:
    """url: of the events service, with `/v1` or without. key: posts everything in the place of the SDK's own.
    environment: whose keys the SDKs posted with."""

    in_flight = 4  # events carry their times
    entries = 1
    size = 1
    linger = 0.0

    def __init__(self, url: str, key: str | None, environment: Environment) -> None:
        url = url.rstrip("/")
        self._url = url if url.endswith("/v1") else f"{url}/v1"
        self._key = key
        self._keys = environment.statsig_keys

    def wanted(self, entry: Entry, event: Event) -> bool:
        return entry.dialect == "statsig"

    def build(self, selection: Selection, now: int) -> Post:
        piece = selection.slices[0]
        entry, facts = piece.entry, piece.entry.facts
        if entry.endpoint not in _PATHS:
            raise Unsendable(f"what came to {entry.endpoint!r} has no place at Statsig")
        raws = [event.raw for _, event in piece.events]
        headers = [("Content-Type", "application/json"), ("User-Agent", AGENT)]
        headers.append(("statsig-api-key", self._secret(facts)))
        # Half a millisecond of difference between two tries is of no weight; that it is now's is (see the module).
        headers.append(("statsig-client-time", str(now - int(facts.get("skew", 0)))))
        headers += [(header, _header(facts[name])) for name, header in _HEADERS.items() if name in facts]
        if entry.endpoint == "sdk_exception":
            body = raws[0]
        else:
            headers.append(("statsig-event-count", str(len(raws))))
            body = _body("exposures" if entry.endpoint == "log_custom_exposure" else "events", raws, facts)
        encoding, body = compressed(body)
        return Post(f"{self._url}/{entry.endpoint}", (*headers, *encoding), body)

    def judge(self, answer: Answer, now: int) -> Verdict:
        """A success that says it is none is tried again."""
        verdict = judge(answer, now)
        if verdict.outcome is Outcome.DELIVERED and b'"success":false' in answer.body.replace(b" ", b""):
            return Verdict(Outcome.RETRY, f'{answer.status} with "success":false')
        return verdict

    def _secret(self, facts: Mapping[str, Any]) -> str:
        if self._key is not None:
            return self._key
        used = facts.get("key")
        for key in self._keys:
            if fingerprint(key) == used:
                return key
        if not self._keys:
            raise Unsendable("no Statsig key is configured to post it with")
        return self._keys[0]


def _body(member: str, raws: list[bytes], facts: Mapping[str, Any]) -> bytes:
    parts = [b'{"', member.encode(), b'":[', b",".join(raws), b"]"]
    if "metadata" in facts:
        parts += [b',"statsigMetadata":', _encode(facts["metadata"])]
    if "user" in facts:
        parts += [b',"user":', _encode(facts["user"])]
    return b"".join((*parts, b"}"))


def _header(value: object) -> str:
    return str(value).encode("ascii", "replace").decode()
