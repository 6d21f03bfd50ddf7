"""What strangers' bytes get to: each target takes any bytes, and ends in what its caller expects or returns."""

from collections.abc import Callable
from contextlib import suppress

from router.config import ConfigurationError, SecretSource, load
from router.dialects import generic_changes, launchdarkly_changes, statsig_changes
from router.dialects.cloudevents import CloudEvents
from router.dialects.dialect import Bounds, Dialect, Request
from router.dialects.inflate import inflate
from router.dialects.json import bound_count, deeper_than
from router.dialects.launchdarkly import LaunchDarkly
from router.dialects.statsig import Statsig
from router.errors import Rejected
from router.http import access
from router.http.clients import Proxies, site
from router.http.stream_query import moment
from router.names import Cursor, EnvironmentName
from router.records import pack_body
from router.sse import Parser

LIMIT = 1_000_000
BOUNDS = Bounds(max_inflated=LIMIT, max_events=1000)
DIALECTS: tuple[Dialect, ...] = (LaunchDarkly(), Statsig(), CloudEvents())
PROXIES = Proxies(["127.0.0.0/8", "::1/128"])


def body(data: bytes) -> None:
    """A body on every route of every dialect; what is decoded can be packed."""
    for dialect in DIALECTS:
        for route in dialect.routes:
            request = Request(route.method, route.path, {}, {}, {}, data, 1_700_000_000_000)
            _decode(dialect, request)


def headers(data: bytes) -> None:
    """The first lines are headers and query parameters that mean something, the rest is the body."""
    names = (
        *("authorization", "content-encoding", "content-type", "statsig-api-key", "statsig-encoded"),
        *("x-launchdarkly-payload-id", "x-launchdarkly-event-schema", "x-launchdarkly-tags", "statsig-client-time"),
    )
    *lines, rest = data.split(b"\n", len(names))
    found = {name: line.decode("latin-1") for name, line in zip(names, lines, strict=False)}
    query = {"d": found.get("authorization", ""), "gz": "1", "se": "1", "k": found.get("content-type", "")}
    for dialect in DIALECTS:
        for route in dialect.routes:
            parameters = {"client_side_id": "x", "project": "p", "environment": "e", "image": "x"}
            request = Request(route.method, route.path, parameters, query, found, rest, 1_700_000_000_000)
            with suppress(Rejected):
                dialect.claim(route, request)
            _decode(dialect, request)


def _decode(dialect: Dialect, request: Request) -> None:
    for route in dialect.routes:
        if route.path == request.path:
            try:
                batch = dialect.decode(route, request, BOUNDS)
            except Rejected:
                continue
            pack_body(dialect.name, route.endpoint, batch.facts, batch.events)
            assert batch.event_identities is None or len(batch.event_identities) == len(batch.events)


def decompression(data: bytes) -> None:
    """By the first byte gzip, zstd, or what the magic bytes say; never more than the limit."""
    for encoding in ("gzip", "deflate", "zstd", ""):
        try:
            assert len(inflate(data, encoding, LIMIT)) <= max(LIMIT, len(data))
        except Rejected:
            continue


def json(data: bytes) -> None:
    with suppress(Rejected):
        bound_count(data, 20)
    deeper_than(data, 20)


def cursors(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for parse in (Cursor.parse, EnvironmentName.parse, moment):
        try:
            parse(text)
        except ValueError:
            continue


def clients(data: bytes) -> None:
    text = data.decode("latin-1")
    site(PROXIES.client("127.0.0.1", text))
    access.is_local(text, {})
    access.is_lured({"host": text, "origin": text})
    access.presented({"authorization": text}, {"token": text})


def webhooks(data: bytes) -> None:
    """The first line is a signature, under every header that vendors use; the rest is the body."""
    signature, _, rest = data.partition(b"\n")
    text = signature.decode("latin-1")
    names = ("x-ld-signature", "x-statsig-signature", "x-statsig-request-timestamp", "x-hub-signature-256")
    statsig_changes.handshake(rest)
    for module in (generic_changes, launchdarkly_changes, statsig_changes):
        assert not module.verify(dict.fromkeys(names, text), rest, "whsec-fuzz", 1_700_000_000_000)
        with suppress(ValueError):
            module.read(rest, 1_700_000_000_000)


def configuration(data: bytes) -> None:
    with suppress(ConfigurationError):
        load(data.decode("utf-8", "replace"), source="fuzz", secrets=SecretSource())


def frames(data: bytes) -> None:
    Parser().feed(data)


_ALL = (body, headers, webhooks, decompression, json, cursors, clients, configuration, frames)
TARGETS: dict[str, Callable[[bytes], None]] = {target.__name__: target for target in _ALL}
