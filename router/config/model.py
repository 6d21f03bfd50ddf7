"""What a configuration says, in the units that code works with: seconds, bytes, names. Defaults live here.

`docs/configuration.md` tells users the same, and a test holds the two together.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Final

from router.config.files import Stamps
from router.credentials import CredentialKind, Keyring, Token, digest
from router.names import EnvironmentName
from router.records import Kind

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB
HOUR: Final = 3600.0
DAY: Final = 24 * HOUR


class Durability(StrEnum):
    """What an accepted answer waits for: the disk, or only the operating system."""

    FSYNC = "fsync"
    OS = "os"


class Vendor(StrEnum):
    """Who sends a webhook."""

    LAUNCHDARKLY = "launchdarkly"
    STATSIG = "statsig"
    GENERIC = "generic"


class Target(StrEnum):
    """What a forward speaks."""

    LAUNCHDARKLY = "launchdarkly"
    STATSIG = "statsig"
    ROUTER = "router"
    HTTP = "http"


class WhenFull(StrEnum):
    """What gives way when forwards are behind by more than retention keeps: the oldest events, or new posts."""

    TRIM = "trim"
    REFUSE = "refuse"


class Begin(StrEnum):
    """Where a forward that is new begins: with all that is kept, or with what comes from then on."""

    EARLIEST = "earliest"
    LATEST = "latest"


class Order(StrEnum):
    """What a forward that is behind sends first."""

    OLDEST = "oldest"
    NEWEST = "newest"


class Level(StrEnum):
    """The least severe lines that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class Format(StrEnum):
    """How lines of the log look. auto: console on a terminal, else JSON."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """`[server]`. Sizes are bytes, times seconds.

    bind: checked addresses: `HOST:PORT`, `[IPV6]:PORT`, `unix:/path`, `fd://N`.
    max_body, max_inflated: limits of one request, as sent and after decompression.
    max_in_flight: bytes of request bodies held at once; at least `max_body`.
    max_head: bytes of a request line and its headers.
    max_events, max_depth: events in one request, and how deep one of them nests.
    max_ratio: times its size that a body may inflate to.
    max_connections, max_per_address: open at once, of all and of one address that is not in `trusted_proxies`; through
        those, requests at once; 0 is no limit per address.
    trusted_proxies: networks whose `X-Forwarded-For` is believed.
    key_rate, key_burst: requests a second that one key may go on making, and how many at once; rate 0 is no limit.
    head_timeout: from the first byte of a request to the end of its head.
    body_timeout: from a request's head to the end of its body.
    keep_alive_timeout: for which an idle connection is kept.
    tcp_user_timeout: after which a peer that acknowledges nothing is dropped (tcp(7), TCP_USER_TIMEOUT).
    drain_timeout: for requests in flight at a stop.
    heartbeat: between comments on a quiet stream.
    stream_max_age: after which a stream is ended, 0 never.
    write_timeout: for which a peer may accept nothing of an answer.
    watch_interval: between looks whether a file of the configuration has changed, 0 never looks.
    statsig_aliases: further paths that take what `/v1/log_event` takes.
    """

    bind: tuple[str, ...] = ("127.0.0.1:8080",)
    tls_cert: Path | None = None
    tls_key: Path | None = None
    max_body: int = 10 * MIB
    max_inflated: int = 64 * MIB
    max_in_flight: int = 64 * MIB
    max_streams: int = 10_000
    max_streams_per_token: int = 0
    stream_max_age: float = 0.0
    write_timeout: float = 30.0
    max_head: int = 64 * KIB
    max_events: int = 50_000
    max_depth: int = 100
    max_ratio: int = 250
    max_connections: int = 20_000
    max_per_address: int = 1000
    trusted_proxies: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    key_rate: int = 0
    key_burst: int = 1000
    cors_origins: tuple[str, ...] = ("*",)
    head_timeout: float = 10.0
    body_timeout: float = 30.0
    keep_alive_timeout: float = 75.0
    tcp_user_timeout: float = 30.0
    drain_timeout: float = 10.0
    heartbeat: float = 15.0
    backlog: int = 1024
    watch_interval: float = 2.0
    fast_lane: bool = True
    statsig_aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """`[storage]`. min_free: bytes of free disk below which appends are refused; 0 never refuses. sync_interval:
    seconds between syncs with `durability = "os"`, for flash that wears. sweep_interval: seconds between rounds of
    retention."""

    path: Path = Path("/var/lib/router")
    durability: Durability = Durability.FSYNC
    sync_interval: float = 5.0
    min_free: int = 256 * MIB
    sweep_interval: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """`[log]`. requests: whether every request gets a line."""

    level: Level = Level.INFO
    format: Format = Format.AUTO
    requests: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """`[[environment.forward]]`: where the environment's log is posted on to. key None: each event's own SDK's.

    name: of its cursor; made of target and URL where it is None. kinds, dialects: of the events that go on; None for
    all. begin: None for `latest` to vendors, who had the rest from the SDKs, and `earliest` to others. max_bandwidth:
    bytes a second; max_requests: a minute; None for no cap. windows: times of the day, UTC, as (begin, end) in seconds
    from midnight; empty for all day.
    """

    to: Target
    url: str
    token: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    name: str | None = None
    kinds: tuple[Kind, ...] | None = None
    dialects: tuple[str, ...] | None = None
    begin: Begin | None = None
    order: Order = Order.OLDEST
    max_bandwidth: int | None = None
    max_requests: int | None = None
    windows: tuple[tuple[float, float], ...] = ()

    @property
    def called(self) -> str:
        """Its name, given or made."""
        return self.name or f"{self.to} {self.url}"

    @property
    def from_latest(self) -> bool:
        if self.begin is None:
            return self.to in (Target.LAUNCHDARKLY, Target.STATSIG)
        return self.begin is Begin.LATEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """`[[environment]]`. retention_age: seconds; retention_bytes: stored bytes; None keeps without that limit.

    dedup_window: seconds; 0 stores every retry again. cors_origins: None where the server's hold.
    insights_age: seconds that counts and flag changes are kept; None keeps them for ever.
    """

    name: EnvironmentName
    retention_age: float | None = 7 * DAY
    retention_bytes: int | None = 10 * GIB
    when_full: WhenFull = WhenFull.TRIM
    dedup_window: float = HOUR
    insights_age: float | None = 90 * DAY
    sdk_keys: tuple[str, ...] = field(default=(), repr=False)
    mobile_keys: tuple[str, ...] = field(default=(), repr=False)
    client_side_ids: tuple[str, ...] = ()
    statsig_keys: tuple[str, ...] = field(default=(), repr=False)
    cors_origins: tuple[str, ...] | None = None
    forwards: tuple[Forward, ...] = ()

    def credentials(self) -> Iterator[tuple[str, CredentialKind]]:
        """Every key that posts to this environment, public ones included."""
        for keys, kind in (
            (self.sdk_keys, CredentialKind.SDK_KEY),
            (self.mobile_keys, CredentialKind.MOBILE_KEY),
            (self.client_side_ids, CredentialKind.CLIENT_SIDE_ID),
            (self.statsig_keys, CredentialKind.STATSIG_KEY),
        ):
            for key in keys:
                yield key, kind


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """`[[token]]`. digest: SHA-256; secret: the token itself, None where only its SHA-256 was given."""

    rights: Token
    digest: bytes = field(repr=False)
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """`[[webhook]]`: a sender of flag changes. secret: the key of its signatures."""

    vendor: Vendor
    project: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole configuration; checked, when `router.config.load`, `read` or `demo` made it. No secret is in its repr.

    files: that it was read from, by name, as they were then."""

    server: Server = Server()
    storage: Storage = Storage()
    log: Log = Log()
    environments: tuple[Environment, ...] = ()
    tokens: tuple[ApiToken, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    files: Stamps = field(default_factory=dict, repr=False, compare=False)

    def keyring(self) -> Keyring:
        """The digests of all keys and API tokens, for look-up."""
        return Keyring(
            (
                (digest(key), kind, environment.name)
                for environment in self.environments
                for key, kind in environment.credentials()
            ),
            ((token.digest, token.rights) for token in self.tokens),
        )

    def secrets(self) -> tuple[str, ...]:
        """Everything that must never be stored, streamed or logged, each once. Not what every web page may know:
        client-side IDs and Statsig client keys. A token of which only the SHA-256 is known cannot be among them."""
        found: list[str | None] = []
        public: set[str] = set()
        for environment in self.environments:
            public.update(environment.client_side_ids)
            public.update(key for key in environment.statsig_keys if is_public(key))
            found.extend((*environment.sdk_keys, *environment.mobile_keys, *environment.statsig_keys))
            for forward in environment.forwards:
                if forward.to is not Target.STATSIG or not is_public(forward.key or ""):
                    found.extend((forward.token, forward.key))
        found.extend(token.secret for token in self.tokens)
        found.extend(webhook.secret for webhook in self.webhooks)
        return tuple(dict.fromkeys(secret for secret in found if secret and secret not in public))

    def needs_restart(self, new: "Config") -> tuple[str, ...]:
        """Names of the settings in which `new` differs and that a reload does not change."""
        mine, its = _settings(self), _settings(new)
        changed = [name for name in AT_START if mine[name] != its[name]]
        if (self.server.tls_cert is None) != (new.server.tls_cert is None):
            changed.append("server.tls_cert")
        return tuple(changed)


def _settings(config: Config) -> dict[str, object]:
    return {
        f"{table}.{item.name}": getattr(record, item.name)
        for table, record in (("server", config.server), ("storage", config.storage), ("log", config.log))
        for item in fields(record)
    }


def is_public(key: str) -> bool:
    """Whether a Statsig key is a client key, which every web page holds (protocols/statsig-and-others.md 1.2)."""
    return key.startswith("client-")


RELOADED: Final = frozenset(
    {
        "server.tls_cert",
        "server.tls_key",
        "server.max_body",
        "server.max_inflated",
        "server.max_in_flight",
        "server.max_streams",
        "server.max_streams_per_token",
        "server.stream_max_age",
        "server.max_events",
        "server.max_depth",
        "server.max_ratio",
        "server.max_connections",
        "server.max_per_address",
        "server.trusted_proxies",
        "server.key_rate",
        "server.key_burst",
        "server.cors_origins",
        "server.head_timeout",
        "server.body_timeout",
        "server.watch_interval",
        "storage.min_free",
    }
)
"""Settings of the tables that exist once that SIGHUP changes; environments, tokens and webhooks it changes wholly."""

AT_START: Final = tuple(
    name
    for table, record in (("server", Server), ("storage", Storage), ("log", Log))
    for item in fields(record)
    if (name := f"{table}.{item.name}") not in RELOADED
)
"""Settings that are read once; changing them takes a restart."""
