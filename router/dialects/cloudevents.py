"""CloudEvents over HTTP: what other routers send on, and what any other producer posts.

The modes and content types are those of the CloudEvents HTTP protocol binding 1.0.2, section 3: structured, batched and
binary.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from router.credentials import CredentialKind, Scope
from router.dialects.cloudevents_events import Reading, elements, read, read_relayed
from router.dialects.dialect import Batch, Bounds, Claim, Receipt, Refusal, Reply, Request, Route
from router.dialects.inflate import inflate
from router.dialects.json import bound_count
from router.errors import Fault, Rejected
from router.names import Cursor, EnvironmentName
from router.ranges import Span

PATH: Final = "/v1/cloudevents"
BATCH: Final = "application/cloudevents-batch+json"
SINGLE: Final = "application/cloudevents+json"
RANGE: Final = "router-range"
FILTER: Final = "router-filter"
_RANGE: Final = re.compile(r"([a-z2-7]{8}-[0-9]{1,20})\.\.([0-9]{1,20})")
_FILTER: Final = re.compile(r"[0-9a-f]{0,32}")
_KINDS: Final = frozenset({CredentialKind.API_TOKEN})
_SCHEMES: Final = frozenset({"bearer", "api_key"})
_REQUIRED: Final = ("ce-id", "ce-source", "ce-type", "ce-specversion")
_RETRY_AFTER: Final = 1  # seconds
_JSON: Final = ("Content-Type", "application/json")
_STATUS: Final = {
    Fault.UNAUTHENTICATED: 401,
    Fault.UNKNOWN_CLIENT: 401,
    Fault.FORBIDDEN: 403,
    Fault.MALFORMED: 400,
    Fault.UNAVAILABLE: 503,
}


class CloudEvents:
    """The dialect of CloudEvents producers. Stateless."""

    name: str = "cloudevents"
    routes: tuple[Route, ...] = (Route("POST", PATH, "cloudevents"),)
    misdirected: tuple[tuple[Route, Reply], ...] = ()

    def claim(self, route: Route, request: Request) -> Claim:
        """The API token in `Authorization`; the environment in the query, which a token of one environment may omit.

        Raises:
            Rejected: there is no token, or the query names no possible environment.
        """
        words = request.headers.get("authorization", "").split()
        if words and words[0].lower() in _SCHEMES:
            del words[0]
        if len(words) != 1:
            message = "the request shows no API token: send Authorization: Bearer TOKEN, of scope ingest"
            raise Rejected(Fault.UNAUTHENTICATED, message)
        environment: EnvironmentName | None = None
        if "project" in request.query or "environment" in request.query:
            try:
                environment = EnvironmentName(request.query.get("project", ""), request.query.get("environment", ""))
            except ValueError as error:
                raise Rejected(Fault.MALFORMED, f"?project=…&environment=…: {error}") from error
        return Claim(words[0], _KINDS, environment, Scope.INGEST.value)

    def decode(self, route: Route, request: Request, bounds: Bounds) -> Batch:
        """The events of a post, in whichever mode.

        Raises:
            Rejected: the body as a whole cannot be read, or its content type is none of CloudEvents'.
        """
        headers = request.headers
        coding = headers.get("content-encoding", "")
        body = bounds.redact(inflate(request.body, coding, bounds.max_inflated, bounds.max_ratio))
        bound_count(body, bounds.max_events)
        try:
            reading = _read(request, body)
        except ValueError as error:
            raise Rejected(Fault.MALFORMED, f"the body cannot be read: {error}") from error
        facts: dict[str, Any] = {}
        if sender := headers.get("user-agent"):
            facts["sdk"] = sender
        return Batch(
            facts,
            reading.events,
            reading.set_aside,
            event_identities=reading.identities or None,
            origin=reading.origin,
            portions=reading.portions,
        )

    def accepted(self, route: Route, receipt: Receipt) -> Reply:
        """202, with the headers of every accepted answer, by which a router knows that it spoke to one."""
        return Reply(202, receipt.headers())

    def refused(self, route: Route, refusal: Refusal) -> Reply:
        """The status of the fault, with a sentence for people."""
        headers: tuple[tuple[str, str], ...] = (_JSON,)
        if refusal.fault is Fault.UNAVAILABLE:
            headers += (("Retry-After", str(refusal.retry_after or _RETRY_AFTER)),)
        return Reply(_STATUS[refusal.fault], headers, msgspec.json.encode({"message": refusal.message}))


def span_of(text: str) -> tuple[str, Span]:
    """The epoch and the offsets that a `Router-Range` header names: `EPOCH-FIRST..END`, END not included.

    Raises:
        ValueError: it names none.
    """
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"the Router-Range header {text[:60]!r} is not of the form EPOCH-FIRST..END")
    first, end = Cursor.parse(match[1]), int(match[2])
    if not first.offset < end <= 2**63:
        raise ValueError(f"the Router-Range header {text[:60]!r} ends before it begins")
    return first.epoch, (first.offset, end)


def _read(request: Request, body: bytes) -> Reading:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media in (BATCH, SINGLE):
        raws = elements(body, batch=media == BATCH)
        if RANGE in request.headers:
            narrowed = request.headers.get(FILTER, "")
            if not _FILTER.fullmatch(narrowed):
                raise ValueError(f"the Router-Filter header {narrowed[:60]!r} is not of hex digits")
            return read_relayed(raws, *span_of(request.headers[RANGE]), narrowed)
    elif "ce-specversion" in request.headers:
        raws = [_structured(request.headers, media, body)]
    else:
        raise ValueError(f"its content type {media[:60]!r} is none of CloudEvents': send {BATCH} or {SINGLE}")
    return read(raws, request.received)


def _structured(headers: Mapping[str, str], media: str, body: bytes) -> bytes:
    """A binary mode event as the structured one that says the same (HTTP binding, 3.1)."""
    for name in _REQUIRED:
        if not headers.get(name):
            raise ValueError(f"the header {name} is missing")
    attributes = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    if media:
        attributes["datacontenttype"] = media
    text = msgspec.json.encode({name: value.encode("utf-8", "replace").decode() for name, value in attributes.items()})
    if not body:
        return text
    if media.endswith(("/json", "+json")) or not media:
        data = b',"data":' + body
    else:
        data = b',"data_base64":' + msgspec.json.encode(body)
    return text[:-1] + data + b"}"
