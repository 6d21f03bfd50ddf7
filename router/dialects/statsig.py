"""Statsig's way of posting events: what its server, browser and mobile SDKs, its HTTP API and its webhook callers send.

Every fact is from protocols/statsig-and-others.md section 1, unless said otherwise. What the answers are chosen by: a
success without a JSON body makes six SDK families send the same events again; a 400 or 429 makes nearly all of them
drop the batch; after a 503 all of them keep it and try again (1.9).
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from router.credentials import CredentialKind
from router.dialects.dialect import Batch, Bounds, Claim, Cors, Receipt, Refusal, Reply, Request, Route
from router.dialects.json import bound_count, decode_tolerant, split_object
from router.dialects.statsig_body import Envelope, open_envelope, open_members, unpack
from router.dialects.statsig_events import Reading
from router.dialects.statsig_identity import identities
from router.dialects.statsig_items import lenient_user, storable, text_of
from router.dialects.statsig_times import Timing, timing
from router.errors import Fault, Rejected

# Preflights are answered with what they ask for: newer SDKs add headers, and so do tracing products (1.8).
CORS: Final = Cors(
    allow_headers=(
        "content-type, statsig-api-key, statsig-client-time, statsig-sdk-type, statsig-sdk-version, "
        "statsig-event-count, statsig-retry-count, statsig-encoded"
    ),
    mirror_headers=True,
    allow_credentials=True,
    preflight_status=204,
    max_age=86_400,
)

_LOG_EVENT: Final = "log_event"
_EXCEPTION: Final = "sdk_exception"
_CUSTOM_EXPOSURE: Final = "log_custom_exposure"
_LOG_DRAIN: Final = "cf_log_drain"
_ENDPOINTS: Final = (
    ("/log_event", _LOG_EVENT),
    ("/rgstr", "rgstr"),
    ("/rgstr_b", "rgstr_b"),
    ("/log_event_beacon", "log_event_beacon"),
    ("/sdk_exception", _EXCEPTION),
    ("/rgstr_e", _EXCEPTION),
    ("/log_custom_exposure", _CUSTOM_EXPOSURE),
    ("/webhooks/event_webhook", "event_webhook"),
    ("/log_event/cf_log_drain", _LOG_DRAIN),
)

_OTHERS: Final = (
    ("GET", "/download_config_specs"),
    ("GET", "/download_config_specs/{specs}"),
    ("POST", "/download_config_specs"),
    ("POST", "/get_id_lists"),
    ("POST", "/initialize"),
)
_ELSEWHERE: Final = msgspec.json.encode(
    {"message": "this is a router of events: point only the SDK's log event URL here, not its api", "status": 404}
)

_KINDS: Final = frozenset({CredentialKind.STATSIG_KEY})
_KEY: Final = "statsig-api-key"
_BODY_KEYS: Final = ("sdkKey", "statsigAPIKey", "k")
_KEYED_BODY: Final = 1024 * 1024  # bytes that are unpacked to look for a key, before it is known who sends them
_RETRY_AFTER: Final = 1  # seconds; no Statsig SDK reads it, proxies do
_MAX_DIGITS: Final = 9  # of a count in a header
_JSON: Final = ("Content-Type", "application/json")
_SUCCESS: Final = b'{"success":true}'
_FAILURE: Final = b'{"success":false}'
_STATUS: Final = {Fault.MALFORMED: 400, Fault.UNAVAILABLE: 503}
_UNAUTHORIZED: Final = 401


class Statsig:
    """The dialect of Statsig's SDKs. Stateless.

    aliases: further paths that are served as `/v1/log_event`: customers are told to rename it, because blockers know it
        (1.1).

    Raises:
        ValueError: an alias does not begin with a slash, or has braces in it.
    """

    name: str = "statsig"

    def __init__(self, aliases: tuple[str, ...] = ()) -> None:
        for alias in aliases:
            if not alias.startswith("/") or "{" in alias:
                raise ValueError(f"{alias!r} is no path for Statsig events: write it from the slash on, without braces")
        own = [Route("POST", prefix + path, endpoint, CORS) for path, endpoint in _ENDPOINTS for prefix in ("/v1", "")]
        taken = {route.path for route in own}
        further = [Route("POST", alias, _LOG_EVENT, CORS) for alias in dict.fromkeys(aliases) if alias not in taken]
        self.routes: tuple[Route, ...] = (*own, *further)
        # Asked for by SDKs whose `api` was overridden instead of their log event URL: a 404 makes them fall back to
        # their defaults (1.10; protocols/sdk-behaviour.md 11).
        self.misdirected: tuple[tuple[Route, Reply], ...] = tuple(
            (Route(method, prefix + path, "elsewhere", CORS), Reply(404, (_JSON,), _ELSEWHERE))
            for method, path in _OTHERS
            for prefix in ("/v1", "/v2", "")
        )

    def claim(self, route: Route, request: Request) -> Claim:
        """The key: in its header, in the query (browsers, beacons), or in the body (callers who can set neither).

        Raises:
            Rejected: there is none, or none yet.
        """
        key = request.headers.get(_KEY, "").strip() or request.query.get("k", "").strip()
        if not key and route.endpoint == _LOG_DRAIN:
            key = _query_header(request.query, _KEY).strip()
        if not key and request.body:
            key = _body_key(request)
        if not key:
            message = "the request shows no key: send it as the statsig-api-key header or as ?k="
            raise Rejected(Fault.UNAUTHENTICATED, message)
        return Claim(key, _KINDS)

    def decode(self, route: Route, request: Request, bounds: Bounds) -> Batch:
        """The events of a post, with what tells them from all others and a resent one from a new one.

        Raises:
            Rejected: the body is empty, is not JSON, holds no events, or does not unpack within `bounds`.
        """
        text = bounds.redact(unpack(request, bounds.max_inflated, bounds.max_ratio))
        bound_count(text, bounds.max_events)
        if not text:
            raise Rejected(Fault.MALFORMED, "the body is empty: send a JSON object with an array of events")
        try:
            return _batch(route.endpoint, request, text)
        except ValueError as error:
            raise Rejected(Fault.MALFORMED, f"the body cannot be read: {error}") from error

    def accepted(self, route: Route, receipt: Receipt) -> Reply:
        """202 with the JSON that several SDKs insist on (1.9)."""
        return Reply(202, (_JSON, *receipt.headers()), _SUCCESS)

    def refused(self, route: Route, refusal: Refusal) -> Reply:
        """401, 400 or 503, always with JSON; never 413, 415, 422 or 429, after which SDKs drop the events (1.9)."""
        status = _STATUS.get(refusal.fault, _UNAUTHORIZED)
        if refusal.fault is Fault.UNAVAILABLE:
            return Reply(status, (_JSON, ("Retry-After", str(refusal.retry_after or _RETRY_AFTER))), _FAILURE)
        return Reply(status, (_JSON,), msgspec.json.encode({"message": refusal.message, "status": status}))


def _batch(endpoint: str, request: Request, text: bytes) -> Batch:
    if endpoint == _EXCEPTION:
        report = decode_tolerant(text)
        if not isinstance(report, dict):
            raise ValueError("not a JSON object")
        envelope = Envelope([text], None, report)
    elif endpoint == _CUSTOM_EXPOSURE:
        envelope = open_members(text, "exposures")
    else:
        envelope = open_envelope(text)
    others = envelope.others
    found = others.get("statsigMetadata")
    metadata = found if isinstance(found, dict) else {}
    when = timing(
        request.received,
        request.headers.get("statsig-client-time"),
        request.query.get("t"),
        others.get("clientTime"),
    )
    facts = _facts(request, others, metadata)
    reading = Reading(when, lenient_user(others.get("user")), text_of(metadata.get("stableID")))
    if endpoint == _EXCEPTION:
        reading.add_exception(envelope.others, text)
    elif endpoint == _CUSTOM_EXPOSURE:
        reading.add_exposures(envelope.raws)
    elif endpoint == _LOG_DRAIN:
        reading.add_drained(envelope.raws)
    elif envelope.items is None:
        reading.add_elements(envelope.raws)
    else:
        reading.add_items(envelope.items, envelope.raws)
    _put_times(facts, when, reading)
    raws = envelope.raws if not reading.set_aside else [event.raw for event in reading.events]
    identity, event_identities = identities(raws, facts.get("session", ""), reading.untimed, when.sent)
    return Batch(facts, reading.events, reading.set_aside, identity, event_identities)


def _facts(request: Request, others: Mapping[str, object], metadata: Mapping[str, object]) -> dict[str, Any]:
    """What the request says of its events, and what sending them on would need; absent ones are left out."""
    headers = request.headers
    query = request.query
    texts = {
        "sdk": headers.get("statsig-sdk-type")
        or query.get("st")
        or text_of(metadata.get("sdkType"))
        or text_of(others.get("sdkType")),
        "sdk_version": headers.get("statsig-sdk-version")
        or query.get("sv")
        or text_of(metadata.get("sdkVersion"))
        or text_of(others.get("sdkVersion")),
        "session": headers.get("statsig-server-session-id") or query.get("sid") or text_of(metadata.get("sessionID")),
        "service": headers.get("x-request-service"),
        "language_version": headers.get("statsig-sdk-language-version"),
    }
    # What came in a header may hold half a surrogate, which the log's msgpack refuses.
    facts: dict[str, Any] = {name: _encodable(text) for name, text in texts.items() if text}
    for name, shown in (
        ("event_count", headers.get("statsig-event-count") or query.get("ec")),  # empty in some (1.6)
        ("retry", headers.get("statsig-retry-count") or headers.get("statsig-retry")),
    ):
        if shown and shown.isascii() and shown.isdigit() and len(shown) <= _MAX_DIGITS:
            facts[name] = int(shown)
    if metadata:
        facts["metadata"] = storable(metadata)
    user = others.get("user")
    if isinstance(user, dict) and user:
        # A hand-written client may send what every SDK takes out before it logs (2.3).
        facts["user"] = storable({name: value for name, value in user.items() if name != "privateAttributes"})
    return facts


def _put_times(facts: dict[str, Any], when: Timing, reading: Reading) -> None:
    """Puts the send time, the skew, and how far the times of the events can be trusted (6.3)."""
    if when.sent is not None:
        facts["client_time"] = when.sent
        facts["skew"] = when.skew
    if reading.old:
        facts["old"] = reading.old
    if reading.clamped:
        facts["quality"] = "clamped"
    elif len(reading.untimed) == len(reading.events):
        facts["quality"] = "recv"
    else:
        facts["quality"] = "raw" if when.sent is None else "skew"


def _body_key(request: Request) -> str:
    """The key in a small body; the empty text where there is none, or the body cannot be read at all."""
    try:
        members = split_object(unpack(request, _KEYED_BODY))
        for name in _BODY_KEYS:
            if name in members and isinstance(key := decode_tolerant(members[name]), str) and key.strip():
                return key.strip()
    except (Rejected, ValueError):
        pass  # a request without a key is refused for that, whatever else is wrong with it
    return ""


def _query_header(query: Mapping[str, str], name: str) -> str:
    """A header that Cloudflare Logpush was told to send, where it arrives as a query parameter instead (1.10)."""
    for parameter, value in query.items():
        if parameter.lower() == f"header_{name}":
            return value
    return ""


def _encodable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
