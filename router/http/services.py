"""What the endpoints work with: the one record that is handed to all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from router.actors.registry import Registry
from router.clocks import Clock
from router.config import Config
from router.credentials import Keyring
from router.http.audience import Audience
from router.names import EnvironmentName
from router.pipeline.checkpoints import Checkpoints
from router.pipeline.environments import Environment
from router.store.threads import Threads


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """most: streams open at once; most_of_token: of one API token, 0 for no limit of its own.

    heartbeat: seconds between comments on a quiet stream; max_age: after which a stream is ended, 0 for never.
    """

    most: int = 10_000
    heartbeat: float = 15.0
    most_of_token: int = 0
    max_age: float = 0.0


@dataclass(slots=True)
class Drain:
    """Set once, when the router begins to stop: no new stream is opened and readiness is refused."""

    begun: bool = False


@dataclass(slots=True)
class Services:
    """What a reload changes is set anew here: read it at every use and keep nothing of it.

    readiness: reasons why events cannot be made durable now; empty when they can. origins: allowed to browsers, by
    environment, or None for the server's own. durability: the configured level, said in every accepted answer. damaged:
    environments that cannot be opened, and why. config: the whole configuration in force. metrics: the text of
    `GET /metrics`; None where nothing is measured. audience: where streams are counted.
    """

    clock: Clock
    keyring: Callable[[], Keyring]
    environments: Mapping[EnvironmentName, Environment]
    registry: Registry
    readiness: Callable[[], list[str]]
    origins: Callable[[EnvironmentName | None], tuple[str, ...]]
    redact: Callable[[bytes], bytes]
    durability: str = "fsync"
    max_body: int = 10 * 1024 * 1024
    max_inflated: int = 64 * 1024 * 1024
    ask_timeout: float = 30.0
    streams: StreamLimits = field(default_factory=StreamLimits)
    random: Random = field(default_factory=Random)
    drain: Drain = field(default_factory=Drain)
    started: int = 0
    damaged: Mapping[EnvironmentName, str] = field(default_factory=dict)
    checkpoints: Checkpoints | None = None
    config: Config = field(default_factory=Config)
    threads: Threads = field(default_factory=Threads)
    metrics: Callable[[], bytes] | None = None
    audience: Audience = field(default_factory=Audience)
