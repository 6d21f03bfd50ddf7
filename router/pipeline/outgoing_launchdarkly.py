"""To LaunchDarkly, or whatever speaks its events protocol: each request as its SDK sent it.

Same path, same events byte for byte, same schema, tags and payload id. Facts are from protocols/launchdarkly.md,
sections 1.1 to 1.4 and 1.9.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from router.config.model import Environment
from router.credentials import fingerprint
from router.names import EnvironmentName
from router.pipeline.delivery import Answer, Verdict, judge
from router.pipeline.outgoing import Post, Unsendable, compressed, payload_id
from router.pipeline.selection import Selection
from router.records import Entry, Event, Kind

# Beside the path, which keys of the environment are of its kind.
_PATHS: Final[Mapping[str, tuple[str, str]]] = {
    "bulk": ("/bulk", "sdk"),
    "diagnostic": ("/diagnostic", "sdk"),
    "mobile": ("/mobile", "mobile"),
    "mobile_diagnostic": ("/mobile/events/diagnostic", "mobile"),
    "client": ("/events/bulk/{key}", "client"),
    "client_diagnostic": ("/events/diagnostic/{key}", "client"),
    "gif": ("/events/bulk/{key}", "client"),  # an image's events fit a post as well, and have no limit of length there
    "import": ("/v2/event-data-import/{project}/{environment}", "import"),
}
_PREFIXES: Final[Mapping[str, str]] = {"sdk-": "sdk", "mob-": "mobile", "api-": "import"}
_HEADERS: Final[Mapping[str, str]] = {
    "schema": "X-LaunchDarkly-Event-Schema",
    "tags": "X-LaunchDarkly-Tags",
    "wrapper": "X-LaunchDarkly-Wrapper",
    "instance_id": "X-LaunchDarkly-Instance-Id",
}


class ToLaunchDarkly:
    """url: of the events service. key: posts what is of its kind (`sdk-`, `mob-`, `api-` for the metric import, any
    other for all) in the place of the SDK's own. environment: whose keys the SDKs posted with."""

    in_flight = 4  # every request stands for itself, and events carry their times
    entries = 1
    size = 1
    linger = 0.0

    def __init__(self, url: str, key: str | None, environment: Environment) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._key_kind = next((kind for prefix, kind in _PREFIXES.items() if (key or "").startswith(prefix)), None)
        self._name: EnvironmentName = environment.name
        self._keys: dict[str, tuple[str, ...]] = {
            "sdk": environment.sdk_keys,
            "mobile": environment.mobile_keys,
            "client": environment.client_side_ids,
            "import": (),
        }

    def wanted(self, entry: Entry, event: Event) -> bool:
        return entry.dialect == "launchdarkly"

    def build(self, selection: Selection, now: int) -> Post:
        piece = selection.slices[0]
        entry, facts = piece.entry, piece.entry.facts
        if entry.endpoint not in _PATHS:
            raise Unsendable(f"what came to {entry.endpoint!r} has no place at LaunchDarkly")
        path, kind = _PATHS[entry.endpoint]
        key = self._secret(kind, facts)
        names = {"project": self._name.project, "environment": self._name.key, "key": key}
        events = [event for _, event in piece.events]
        bare = len(events) == 1 and events[0].kind == Kind.DIAGNOSTIC
        body = events[0].raw if bare else b"[" + b",".join(event.raw for event in events) + b"]"
        headers = [("Content-Type", "application/json")]
        if kind != "client":
            headers.append(("Authorization", key))
        headers += _headers(facts, browser=kind == "client")
        if not bare:
            headers.append(("X-LaunchDarkly-Payload-ID", payload_id(selection, facts.get("payload_id"))))
        url = self._url + path.format_map({name: quote(value, safe="") for name, value in names.items()})
        encoding, body = compressed(body)
        return Post(url, (*headers, *encoding), body)

    def judge(self, answer: Answer, now: int) -> Verdict:
        return judge(answer, now)

    def _secret(self, kind: str, facts: Mapping[str, Any]) -> str:
        """The configured key where it is for this kind; else the SDK's own, by its fingerprint; else the first of the
        kind, where the one that it used is not configured any more."""
        if self._key is not None and self._key_kind in (None, kind):
            return self._key
        keys = self._keys[kind]
        used = facts.get("key")
        for key in keys:
            if fingerprint(key) == used:
                return key
        if not keys:
            raise Unsendable(f"no {kind} key is configured to post it with")
        return keys[0]


def _headers(facts: Mapping[str, Any], *, browser: bool) -> list[tuple[str, str]]:
    headers = [(header, str(facts[name])) for name, header in _HEADERS.items() if name in facts]
    if "sdk" in facts:
        headers.append(("X-LaunchDarkly-User-Agent" if browser else "User-Agent", str(facts["sdk"])))
    if facts.get("unsummarized"):
        headers.append(("X-LaunchDarkly-Unsummarized", "true"))
    return headers
