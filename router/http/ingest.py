"""Events in: from a plain request to a dialect's reply, with everything durable in between.

Knows no framework, so that any front can serve the same dialects: the Quart routes in `app`, and later ones.
"""

from dataclasses import dataclass
from functools import partial
from typing import Final

import stringzilla
import structlog
import trio
from msgspec import Struct

from router.credentials import digest as credential_digest
from router.dialects.dialect import (
    Batch,
    Bounds,
    Dialect,
    Origin,
    Receipt,
    Refusal,
    Reply,
    Request,
    Route,
    SetAside,
)
from router.dialects.json import deeper_than
from router.errors import Busy, Fault, Interrupted, Rejected
from router.http import cors
from router.http.rates import Rates, RateStatistics
from router.http.services import Services
from router.http.tally import Entry, Tally, TallyStatistics
from router.names import EnvironmentName
from router.pipeline.environments import Environment
from router.pipeline.ledger import Append, Committed, Relayed
from router.records import pack_body
from router.store.dedup import NO_IDENTITIES, Identities, digest
from router.store.quarantine import MAX_RAW, Item

_log = structlog.get_logger(__name__)
LARGE: Final = 64 * 1024  # bytes as sent from which a body is decoded in a thread: it may take long, if it means to
PACKED: Final = 8 * 1024  # the same for a compressed one
_PLAIN: Final = (b"[", b"{", b"")
MOST_ASIDE: Final = 1000  # items of one request that are kept in quarantine: each is a row
RETRY_AFTER: Final = 1  # seconds; SDKs that retry at all do so after one
PARKED_RETRY_AFTER: Final = 60  # seconds; someone has to look at it first


Decoded = tuple[Append, list[str]]  # what is to be kept, and the kinds of its events


@dataclass(frozen=True, slots=True)
class IngestStatistics:
    """Requests and events since the start. received counts requests; the others events, refusals by fault, and
    what came too often."""

    received: int
    stored: int
    duplicates: int
    set_aside: int
    refused: dict[str, int]
    rates: RateStatistics


class Post(Struct):
    """One post on its way. begun, answered: trio times. environment: where it belongs, once that is known; used:
    fingerprint of the credential that it shows."""

    dialect: Dialect
    route: Route
    request: Request
    begun: float
    environment: Environment | None = None
    used: str = ""
    answered: float = 0.0


class Large(Struct, frozen=True):
    """A post that has to be decoded beside the loop."""

    post: Post
    environment: Environment


class Pending(Struct, frozen=True):
    """A post that is decoded: `append` is for the mailbox of its environment, and what becomes of it for
    `Ingest.stored` or `Ingest.failed`."""

    post: Post
    environment: Environment
    append: Append
    entry: Entry


class Ingest:
    """Takes posts for all dialects."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._rates = Rates()
        self._received = 0
        self._stored = 0
        self._duplicates = 0
        self._set_aside = 0
        self._refused = dict.fromkeys((fault.value for fault in Fault), 0)
        self._tally = Tally()

    async def post(self, dialect: Dialect, route: Route, request: Request, *, oversize: bool = False) -> Reply:
        """Answer one event post; a 2xx only after its events are durable at the configured level.

        oversize: the body was larger than `max_body` and is not in `request`.
        """
        step = self.begin(dialect, route, request, oversize=oversize)
        if isinstance(step, Large):
            step = await self.decode(step)
        if isinstance(step, Reply):
            return step
        return await self.settle(step)

    def begin(
        self, dialect: Dialect, route: Route, request: Request, *, oversize: bool = False
    ) -> Reply | Large | Pending:
        """What can be done of a post without waiting. `post` is what follows, for a front that can wait."""
        self._received += 1
        post = Post(dialect, route, request, trio.current_time())
        try:
            environment, key = self._environment(dialect, route, request)
            post.environment = environment
            post.used = key[:4].hex()
            if self._services.config.server.key_rate:
                self._hold_to_rate(key)
            if oversize:
                limit = self._services.max_body
                raise Rejected(Fault.MALFORMED, f"the body has more than {limit} bytes: send smaller batches")
            self._hold_to_readiness(environment)
            body = request.body
            if len(body) > PACKED and (len(body) > LARGE or body[:1] not in _PLAIN):
                return Large(post, environment)
            return self._decoded(post, environment, self._append(dialect, route, request, post.used))
        except Exception as error:  # noqa: BLE001 - what it means is said by `_fail`
            return self._fail(post, error)

    async def decode(self, large: Large) -> Reply | Pending:
        """As `begin`, in a thread for the part that may take long."""
        post = large.post
        try:
            attempt = partial(self._attempt, post.dialect, post.route, post.request, post.used)
            return self._decoded(post, large.environment, _or_raise(await self._services.threads.decode(attempt)))
        except Exception as error:  # noqa: BLE001 - what it means is said by `_fail`
            return self._fail(post, error)

    async def settle(self, pending: Pending) -> Reply:
        """Wait until a post is durable; the answer to it."""
        mailbox = pending.environment.mailbox
        try:
            committed: Committed = await mailbox.ask(pending.append, timeout=self._services.ask_timeout)
        except Exception as error:  # noqa: BLE001 - what it means is said by `failed`
            return self.failed(pending, error)
        except BaseException:
            pending.entry.drop()
            raise
        return self.stored(pending, committed)

    def stored(self, pending: Pending, committed: Committed) -> Reply:
        """The answer to a post whose events are durable."""
        post, append = pending.post, pending.append
        pending.entry.settle(committed)
        if not committed.duplicate:
            self._set_aside += len(append.set_aside)
        if not append.count:
            return self._accept(post, Receipt(None, self._services.durability))
        self._stored += append.count - committed.duplicates
        self._duplicates += committed.duplicates
        offsets = (committed.first, committed.last) if committed.last >= committed.first else None
        return self._accept(post, Receipt(offsets, self._services.durability, committed.duplicate))

    def failed(self, pending: Pending, error: Exception) -> Reply:
        """The answer to a post that came to an end by `error`."""
        pending.entry.drop()
        return self._fail(pending.post, error)

    def preflight(self, dialect: Dialect, route: Route, request: Request) -> Reply:
        """Answer a browser's OPTIONS, which shows no credential but what its path holds."""
        name: EnvironmentName | None = None
        if route.cors is None:
            return Reply(200, (("Allow", f"{route.method}, OPTIONS"),))
        reply = Reply(route.cors.preflight_status, cors.preflight_headers(route.method, route.cors, request.headers))
        try:
            name = self._environment(dialect, route, request)[0].name
        except Rejected as error:
            if error.fault is Fault.UNKNOWN_CLIENT:
                reply = self._refuse(dialect, route, Refusal(error.fault, error.message))
        except Busy:
            pass  # a preflight stores nothing: it is answered while the router is still starting
        return self._with_cors(route, request, reply, name)

    def statistics(self) -> IngestStatistics:
        refused, rates = dict(self._refused), self._rates.statistics()
        return IngestStatistics(self._received, self._stored, self._duplicates, self._set_aside, refused, rates)

    def tally(self) -> TallyStatistics:
        """What became of every post and of every event, by environment and dialect."""
        return self._tally.statistics()

    def _environment(self, dialect: Dialect, route: Route, request: Request) -> tuple[Environment, bytes]:
        """Where the request's events belong, and the digest of the credential that it shows."""
        services = self._services
        claim = dialect.claim(route, request)
        keyring = services.keyring()
        key = credential_digest(claim.secret)
        if claim.scope is not None:
            token = keyring.token(claim.secret)
            if token is None:
                raise Rejected(Fault.UNAUTHENTICATED, "the API token is not known")
            name: EnvironmentName | None = claim.environment
            if name is None and token.environments is not None and len(token.environments) == 1:
                (name,) = token.environments
            if name is None and claim.scope in token.scopes:
                message = "the API token covers several environments: name one with ?project=…&environment=…"
                raise Rejected(Fault.MALFORMED, message)
            if name is None or claim.scope not in token.scopes or not token.covers(name):
                raise Rejected(Fault.FORBIDDEN, f"the API token may not {claim.scope} here")
        else:
            name = keyring.environment_of(key, claim.kinds)
        environment = None if name is None else services.environments.get(name)
        if environment is not None:
            return environment, key
        if name is not None and name in services.damaged:
            raise Busy(services.damaged[name], retry_after=PARKED_RETRY_AFTER)
        if "client_side_id" in request.parameters:
            raise Rejected(Fault.UNKNOWN_CLIENT, "the client-side ID in the path is not known")
        raise Rejected(Fault.UNAUTHENTICATED, "the key is not known")

    def _hold_to_rate(self, key: bytes) -> None:
        server = self._services.config.server
        now = trio.current_time()
        if wait := self._rates.wait(key, now, rate=server.key_rate, burst=server.key_burst):
            raise Busy("the key posts more often than it may: send larger batches", retry_after=wait)

    def _hold_to_readiness(self, environment: Environment) -> None:
        services = self._services
        # While it drains the router still keeps what comes: only its readiness is refused.
        if not services.drain.begun and (reasons := services.readiness()):
            raise Busy("; ".join(reasons), retry_after=RETRY_AFTER)
        if (fault := environment.fault) is not None:
            raise Busy(fault, retry_after=PARKED_RETRY_AFTER)

    def _decoded(self, post: Post, environment: Environment, decoded: Decoded) -> Reply | Pending:
        append, kinds = decoded
        if not append.count and not append.set_aside and append.relayed is None:
            return self._accept(post, Receipt(None, self._services.durability))
        reasons = [item.reason for item in append.set_aside]
        entry = self._tally.enter(environment.name, post.dialect.name, kinds, reasons)
        return Pending(post, environment, append, entry)

    def _fail(self, post: Post, error: Exception) -> Reply:
        outcome = Fault.UNAVAILABLE
        if isinstance(error, Rejected):
            outcome = error.fault
            refusal = Refusal(error.fault, error.message)
        elif isinstance(error, Busy):
            refusal = Refusal(Fault.UNAVAILABLE, error.message, error.retry_after)
        elif isinstance(error, Interrupted | TimeoutError):
            # Whether the events are stored is unknown: a retry settles it, and deduplication absorbs it.
            refusal = Refusal(Fault.UNAVAILABLE, "the events may not be stored: send them again", RETRY_AFTER)
        else:  # a bug of ours must not become a status that switches an SDK off
            _log.error("an event post failed", dialect=post.dialect.name, endpoint=post.route.endpoint, exc_info=error)
            message = "the router failed on this request; its log says why"
            refusal = Refusal(Fault.UNAVAILABLE, message, RETRY_AFTER)
        return self._answer(post, self._refuse(post.dialect, post.route, refusal), outcome.value)

    def _accept(self, post: Post, receipt: Receipt) -> Reply:
        outcome = "duplicate" if receipt.duplicate else "accepted"
        return self._answer(post, post.dialect.accepted(post.route, receipt), outcome)

    def _answer(self, post: Post, reply: Reply, outcome: str) -> Reply:
        post.answered = trio.current_time()
        self._tally.answered(post.dialect.name, outcome, len(post.request.body), post.answered - post.begun)
        name = None if post.environment is None else post.environment.name
        return self._with_cors(post.route, post.request, reply, name)

    def _attempt(
        self, dialect: Dialect, route: Route, request: Request, used: str
    ) -> tuple[Append, list[str]] | Rejected:
        """As `_append`, for a thread: a refusal without its traceback, which holds the body, and on its way between
        threads ends up in a circle that only the collector undoes (measured: 15 MB a bomb)."""
        try:
            return self._append(dialect, route, request, used)
        except Rejected as error:
            return Rejected(error.fault, error.message)

    def _append(self, dialect: Dialect, route: Route, request: Request, used: str) -> Decoded:
        """Decode and pack in one go; also the kinds of the events, which are freed before the wait for the disk. Held
        over it by 64 requests at once they were cold when they were freed and cost a post 100 µs more (measured)."""
        server = self._services.config.server
        redact = self._services.redact
        bounds = Bounds(self._services.max_inflated, redact, server.max_ratio, server.max_events)
        batch = dialect.decode(route, request, bounds)
        _flatten(batch, server.max_depth)
        if (more := len(batch.set_aside) - MOST_ASIDE) > 0:
            batch.set_aside[MOST_ASIDE:] = [SetAside(f"{more} further items of the same request are not kept", b"")]
        set_aside: tuple[Item, ...] = ()
        if batch.set_aside:
            set_aside = tuple(
                Item(0, dialect.name, route.endpoint, item.reason, item.raw[:MAX_RAW], len(item.raw))
                for item in batch.set_aside
            )
        identities = NO_IDENTITIES
        if batch.identity is not None or batch.event_identities:
            request_identity = None if batch.identity is None else digest(batch.identity)
            identities = Identities(request_identity, tuple(batch.event_identities or ()))
        kinds = [event.kind for event in batch.events]
        if batch.origin is not None:
            relayed = _relayed(batch, batch.origin)
            return Append(b"", len(batch.events), NO_IDENTITIES, set_aside, relayed), kinds
        # Sending the events on needs the key that they came with, and a secret is not stored: what names it will do.
        batch.facts["key"] = used
        body = pack_body(dialect.name, route.endpoint, batch.facts, batch.events)
        return Append(body, len(batch.events), identities, set_aside), kinds

    def _refuse(self, dialect: Dialect, route: Route, refusal: Refusal) -> Reply:
        self._refused[refusal.fault.value] += 1
        return dialect.refused(route, refusal)

    def _with_cors(self, route: Route, request: Request, reply: Reply, name: EnvironmentName | None) -> Reply:
        if route.cors is None:
            return reply
        headers = cors.headers(route.cors, request.headers, self._services.origins(name))
        return Reply(reply.status, reply.headers + headers, reply.body)


def _relayed(batch: Batch, origin: Origin) -> Relayed:
    bodies = []
    place = 0
    for portion in batch.portions:
        events = batch.events[place : place + portion.count]
        bodies.append((pack_body(portion.dialect, portion.endpoint, portion.facts, events), portion.count))
        place += portion.count
    return Relayed(tuple(bodies), origin.source, origin.epoch, origin.offsets, origin.span)


def _flatten(batch: Batch, levels: int) -> None:
    """Set aside what nests deeper than `levels`: it would stay in the log for readers whose parsers break on it. Not of
    another router's entries, which are kept whole: it has looked already."""
    if batch.portions:
        return
    # Three bytes are the least that a level takes where no two brackets of arrays touch, so most events need no closer
    # look; one look at fifty together takes 3 µs, at each by itself 15 (measured).
    short = 3 * levels
    raws = [event.raw for event in batch.events]
    if max(map(len, raws), default=0) <= short and stringzilla.find(b"".join(raws), b"[[") < 0:
        return
    deep = [place for place, raw in enumerate(raws) if (len(raw) > short or b"[[" in raw) and deeper_than(raw, levels)]
    for place in reversed(deep):
        event = batch.events.pop(place)
        if batch.event_identities is not None:
            del batch.event_identities[place]
        batch.set_aside.append(SetAside(f"the event nests deeper than {levels} levels", event.raw))


def _or_raise(outcome: Decoded | Rejected) -> Decoded:
    if isinstance(outcome, Rejected):
        try:
            raise outcome
        finally:
            del outcome  # the traceback holds this frame, which would hold the traceback
    return outcome
