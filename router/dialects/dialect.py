"""What a dialect is: the plain request it takes, the batch it makes of it, and the replies it owns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from msgspec import Struct, field

from router.credentials import CredentialKind
from router.errors import Fault
from router.names import EnvironmentName
from router.records import Event


@dataclass(frozen=True, slots=True)
class Cors:
    """What browsers are told on a route: which request headers they may send and which answers they may read.

    `allow_headers` is sent as it is; where `mirror_headers` is set, what the preflight asks for is allowed instead.
    `preflight_status` answers OPTIONS; `max_age` is in seconds.
    """

    allow_headers: str
    mirror_headers: bool = False
    expose_headers: str = "Date"
    allow_credentials: bool = False
    preflight_status: int = 200
    max_age: int = 300


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint. `path` may hold `{name}` parameters of one segment each; `endpoint` is its name in the log.

    A route with `cors` also answers OPTIONS, and carries CORS headers on every answer, errors included.
    """

    method: str
    path: str
    endpoint: str
    cors: Cors | None = None


class Request(Struct, frozen=True):
    """A request as plain data, body complete.

    parameters: values of the route's `{name}` parts, percent-decoded.
    query: decoded query parameters; where one is repeated, its last value.
    headers: names in lower case; repeated ones joined by `, `.
    body: as sent, transfer coding removed, content coding not.
    received: unix ms.
    """

    method: str
    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    received: int


class Reply(Struct, frozen=True):
    """A complete answer. `Date`, `Content-Length` and CORS headers are added by whoever sends it."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Claim(Struct, frozen=True):
    """The credential a request shows: a secret, and the kinds of credential that count on its route.

    `environment` is set where the path names one (the metric import); the credential must then cover it.
    """

    secret: str
    kinds: frozenset[CredentialKind]
    environment: EnvironmentName | None = None
    scope: str | None = None


class SetAside(Struct, frozen=True):
    """A part of a request that cannot be taken in, and why; kept apart so that its neighbours are not lost."""

    reason: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Portion:
    """So many of a batch's events in order that are stored as an entry of their own, as if they had come alone."""

    count: int
    dialect: str
    endpoint: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """The place of a batch's events in another router's log.

    source: names that log and its epoch, unlike all others. offsets: of each event there, rising. span: the offsets
    that are dealt with once this batch is kept, from the first up to the second; those of `offsets` and any that
    the other router had no reason to send.
    """

    source: str
    epoch: str
    offsets: tuple[int, ...]
    span: tuple[int, int]


class Batch(Struct):
    """What a request carries.

    facts: request-level facts for the entry; values are str, int, float, bool, None, or maps and lists of them.
    identity: bytes that are equal for a retry of this request and for nothing else, scoped to its environment by the
        caller; None where the vendor gives none.
    event_identities: the same for each of `events` in order, where single events can come again in another batch; 16
        bytes each, evenly spread (a hash), since there are many of them.
    origin: set where another router sent them on; they are then told apart by their places there, and nothing else.
    portions: with an origin, the entries that they were there.
    """

    facts: dict[str, Any]
    events: list[Event]
    set_aside: list[SetAside] = field(default_factory=list)
    identity: bytes | None = None
    event_identities: list[bytes] | None = None
    origin: Origin | None = None
    portions: list[Portion] = field(default_factory=list)


class Receipt(Struct, frozen=True):
    """How a batch was kept. `offsets` is (first, last), or None where nothing needed to be stored."""

    offsets: tuple[int, int] | None
    durability: str
    duplicate: bool = False

    def headers(self) -> tuple[tuple[str, str], ...]:
        """The headers of an accepted answer (contract, "Events in")."""
        pairs: list[tuple[str, str]] = []
        if self.offsets is not None:
            pairs.append(("Router-Offsets", f"{self.offsets[0]}-{self.offsets[1]}"))
        pairs.append(("Router-Durability", self.durability))
        if self.duplicate:
            pairs.append(("Router-Duplicate", "true"))
        return tuple(pairs)


class Refusal(Struct, frozen=True):
    """Why a request is not taken; `retry_after` in seconds where another try makes sense."""

    fault: Fault
    message: str
    retry_after: int | None = None


class Bounds(Struct, frozen=True):
    """Limits that hold while a body is decoded.

    max_inflated: bytes after decompression; max_ratio: times the size as sent, beyond a mebibyte.
    max_events: in one request.
    redact: replaces this router's own secrets in a decompressed body and returns it; returns its argument, the very
        same object, where there are none.
    """

    max_inflated: int = 64 * 1024 * 1024
    redact: Callable[[bytes], bytes] = lambda body: body
    max_ratio: int = 250
    max_events: int = 50_000


class Dialect(Protocol):
    """One vendor's way of posting events. Stateless; every method is a function of its arguments."""

    name: str
    routes: tuple[Route, ...]
    misdirected: tuple[tuple[Route, Reply], ...]
    """Paths of the vendor's other services, which SDKs ask for when more than their events URL was pointed here, and
    the answer that says so."""

    def claim(self, route: Route, request: Request) -> Claim:
        """The credential that `request` shows.

        The request's body may still be missing (empty) when this is called before it was read; a dialect that may
        find the key in the body is asked again with the body.

        Raises:
            Rejected: it shows none.
        """
        ...

    def decode(self, route: Route, request: Request, bounds: Bounds) -> Batch:
        """What `request` carries. A bad event among good ones is set aside, never a reason to refuse.

        Raises:
            Rejected: the body as a whole cannot be read.
        """
        ...

    def accepted(self, route: Route, receipt: Receipt) -> Reply:
        """The answer for events that are kept."""
        ...

    def refused(self, route: Route, refusal: Refusal) -> Reply:
        """The answer that makes this vendor's SDKs do the least harm, for a request that is not taken."""
        ...
