"""LaunchDarkly's way of posting events: server, mobile, browser and relay paths, the image fallback, the metric import.

Every fact is from protocols/launchdarkly.md section 1, unless said otherwise. What the statuses are chosen by: a 401,
403 or 404 silences most of these SDKs until they restart, a 413 or 415 many of them; 400 and 503 are tried once more
after a second (1.6).
"""

import base64
import binascii
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from router.credentials import CredentialKind, Scope
from router.dialects.dialect import Batch, Bounds, Claim, Cors, Receipt, Refusal, Reply, Request, Route, SetAside
from router.dialects.inflate import inflate
from router.dialects.json import bound_count, trim
from router.dialects.launchdarkly_events import Reading, diagnostic_identity, read, told_schema
from router.errors import Fault, Rejected
from router.names import EnvironmentName
from router.records import Kind

# What ld-relay lists, after the real service (1.9), and the instance id of newer SDKs. Preflights are answered with
# what they ask for: tracing products add headers of their own.
CORS: Final = Cors(
    allow_headers=(
        "Cache-Control,Content-Type,Content-Length,Accept-Encoding,X-LaunchDarkly-User-Agent,"
        "X-LaunchDarkly-Payload-ID,X-LaunchDarkly-Wrapper,X-LaunchDarkly-Event-Schema,X-LaunchDarkly-Tags,"
        "X-LaunchDarkly-Instance-Id"
    ),
    mirror_headers=True,
)

# One transparent pixel (GIF89a, 42 bytes).
PIXEL: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")

_HEADER_KINDS: Final = frozenset({CredentialKind.SDK_KEY, CredentialKind.MOBILE_KEY})
_PATH_KINDS: Final = frozenset({CredentialKind.CLIENT_SIDE_ID})
_IMPORT_KINDS: Final = frozenset({CredentialKind.API_TOKEN})
_GIF: Final = "gif"
_IMPORT: Final = "import"
_RETRY_AFTER: Final = 1  # seconds; SDKs that try again at all do so after one (1.6)
_MAX_SCHEMA_DIGITS: Final = 4
_APPLICATION_TAG: Final = "application-id/"
_JSON: Final = ("Content-Type", "application/json")
_IMAGE: Final = ("Content-Type", "image/gif")
_BASE64: Final = str.maketrans({"-": "+", "_": "/", " ": "+"})  # url-safe; and a plus that a form decoder took

_STATUS: Final = {
    Fault.UNAUTHENTICATED: 401,
    Fault.UNKNOWN_CLIENT: 404,
    Fault.FORBIDDEN: 401,
    Fault.MALFORMED: 400,
    Fault.UNAVAILABLE: 503,
}


class LaunchDarkly:
    """The dialect of LaunchDarkly's SDKs. Stateless."""

    name: str = "launchdarkly"
    routes: tuple[Route, ...] = (
        Route("POST", "/bulk", "bulk"),
        Route("POST", "/api/events/bulk", "bulk"),
        Route("POST", "/diagnostic", "diagnostic"),
        Route("POST", "/mobile", "mobile"),
        Route("POST", "/mobile/events", "mobile"),
        Route("POST", "/mobile/events/bulk", "mobile"),
        Route("POST", "/mobile/events/diagnostic", "mobile_diagnostic"),
        Route("POST", "/events/bulk/{client_side_id}", "client", CORS),
        Route("POST", "/events/diagnostic/{client_side_id}", "client_diagnostic", CORS),
        Route("GET", "/a/{client_side_id}.gif", _GIF, CORS),
        Route("GET", "/events/bulk/{client_side_id}/a/{image}.gif", _GIF, CORS),
        Route("POST", "/v2/event-data-import/{project}/{environment}", _IMPORT),
    )

    misdirected: tuple[tuple[Route, Reply], ...] = ()

    def claim(self, route: Route, request: Request) -> Claim:
        """The key in `Authorization`; on client-side paths the id in the path, whatever the header says (1.1, 1.2).

        Raises:
            Rejected: there is none, or it cannot be one; or the import's path names no possible environment.
        """
        if "client_side_id" in request.parameters:
            client_side_id = request.parameters["client_side_id"]
            if not client_side_id:
                raise Rejected(Fault.UNKNOWN_CLIENT, "the path has no client-side ID")
            return Claim(client_side_id, _PATH_KINDS)
        secret = _authorization(request.headers, ("api_key", "bearer") if route.endpoint == _IMPORT else ("api_key",))
        if route.endpoint != _IMPORT:
            return Claim(secret, _HEADER_KINDS)
        try:
            environment = EnvironmentName(request.parameters["project"], request.parameters["environment"])
        except ValueError as error:
            raise Rejected(Fault.MALFORMED, str(error)) from error
        return Claim(secret, _IMPORT_KINDS, environment, Scope.INGEST.value)

    def decode(self, route: Route, request: Request, bounds: Bounds) -> Batch:
        """The events of a post: an array, or one as a bare object, on analytics and diagnostic paths alike (1.8).

        The image fallback never refuses: there is nobody to read the answer.

        Raises:
            Rejected: the body is empty, is not JSON, or does not inflate within `bounds`.
        """
        facts = _facts(request.headers)
        if route.endpoint == _GIF:
            return _image_batch(facts, request, bounds)
        headers = request.headers
        coding = headers.get("content-encoding", "")
        body = trim(bounds.redact(inflate(request.body, coding, bounds.max_inflated, bounds.max_ratio)))
        bound_count(body, bounds.max_events)
        if not body:
            raise Rejected(Fault.MALFORMED, "the body is empty: send a JSON array of events")
        try:
            reading = read(body, request.received)
        except ValueError as error:
            raise Rejected(Fault.MALFORMED, f"the body cannot be read: {error}") from error
        return _batch(facts, reading)

    def accepted(self, route: Route, receipt: Receipt) -> Reply:
        """202 without a body, which is all any of these SDKs looks at; an image where one was asked for (1.4)."""
        if route.endpoint == _GIF:
            return _image(receipt.headers())
        return Reply(202, receipt.headers())

    def refused(self, route: Route, refusal: Refusal) -> Reply:
        """The status of the fault, with a sentence for people; never 413, 415, 422 or 429 (1.6, contract)."""
        fault = refusal.fault
        if route.endpoint == _GIF and fault is Fault.MALFORMED:
            return _image()
        status = 403 if fault is Fault.FORBIDDEN and route.endpoint == _IMPORT else _STATUS[fault]
        headers: tuple[tuple[str, str], ...] = (_JSON,)
        if fault is Fault.UNAVAILABLE:
            headers += (("Retry-After", str(refusal.retry_after or _RETRY_AFTER)),)
        return Reply(status, headers, msgspec.json.encode({"message": refusal.message}))


def _authorization(headers: Mapping[str, str], schemes: tuple[str, ...]) -> str:
    """The bare key: `KEY`, or `api_key KEY` of 2014 and of today's iOS (1.2)."""
    words = headers.get("authorization", "").split()
    if words and words[0].lower() in schemes:
        del words[0]
    if not words:
        raise Rejected(Fault.UNAUTHENTICATED, "the request shows no key: send it as the Authorization header")
    if len(words) > 1:
        raise Rejected(Fault.UNAUTHENTICATED, "the Authorization header holds more than one word: send the bare key")
    return words[0]


def _facts(headers: Mapping[str, str]) -> dict[str, Any]:
    """What the request's headers say of its events (1.3); absent ones are left out."""
    facts: dict[str, Any] = {}
    if (schema := _schema(headers.get("x-launchdarkly-event-schema", ""))) is not None:
        facts["schema"] = schema
    if payload_id := headers.get("x-launchdarkly-payload-id", "").strip().lower():
        facts["payload_id"] = payload_id
    if tags := headers.get("x-launchdarkly-tags", ""):
        facts["tags"] = tags
        for tag in tags.split():
            if tag.startswith(_APPLICATION_TAG) and len(tag) > len(_APPLICATION_TAG):
                facts["application"] = tag.removeprefix(_APPLICATION_TAG)
    # Browsers cannot set User-Agent: where both are there, the SDK's own is the other one.
    if sdk := headers.get("x-launchdarkly-user-agent") or headers.get("user-agent"):
        facts["sdk"] = sdk
    if wrapper := headers.get("x-launchdarkly-wrapper"):
        facts["wrapper"] = wrapper
    if instance_id := headers.get("x-launchdarkly-instance-id"):
        facts["instance_id"] = instance_id
    if "x-launchdarkly-unsummarized" in headers:
        facts["unsummarized"] = True
    return facts


@lru_cache(64)
def _schema(text: str) -> int | None:
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= _MAX_SCHEMA_DIGITS:
        return int(text) or None
    return None


def _batch(facts: dict[str, Any], reading: Reading) -> Batch:
    if "schema" not in facts and (schema := told_schema(reading)) is not None:
        facts["schema"] = schema
    events = reading.events
    identity: bytes | None = None
    if payload_id := facts.get("payload_id"):
        identity = f"ld:{payload_id}".encode()
    elif len(events) == 1 and events[0].kind == Kind.DIAGNOSTIC and (own := diagnostic_identity(events[0].raw)):
        identity = b"ld-diagnostic:" + own
    return Batch(facts, events, reading.set_aside, identity)


def _image_batch(facts: dict[str, Any], request: Request, bounds: Bounds) -> Batch:
    """The events in the `d` parameter: base64 of a JSON array, in either alphabet, padded or not (1.4)."""
    encoded = request.query.get("d", "")
    if not encoded:
        return Batch(facts, [])
    text = encoded.translate(_BASE64).rstrip("=")
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raw = bounds.redact(encoded.encode("utf-8", "replace"))
        return Batch(facts, [], [SetAside(f"the image's d parameter is not base64: {error}", raw)])
    content = bounds.redact(content)
    try:
        return _batch(facts, read(trim(content), request.received))
    except ValueError as error:
        return Batch(facts, [], [SetAside(f"the image's d parameter cannot be read: {error}", content)])


def _image(headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    # A cached answer would be an event that is never sent.
    return Reply(200, (_IMAGE, ("Cache-Control", "no-store"), *headers), PIXEL)
