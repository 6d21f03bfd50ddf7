"""What the endpoints work with: the one record that is handed to all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from router.actors.registry import Registry
from router.clocks import Clock
from router.config import Webhook
from router.credentials import Keyring
from router.names import EnvironmentName
from router.pipeline.environments import Environment


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """most: streams open at once; heartbeat: seconds between comments on a quiet stream."""

    most: int = 10_000
    heartbeat: float = 15.0


@dataclass(slots=True)
class Drain:
    """Set once, when the router begins to stop: no new stream is opened and readiness is refused."""

    begun: bool = False


@dataclass(frozen=True, slots=True)
class Services:
    """keyring: read at every request, so that a reload takes effect at once. readiness: reasons why events cannot be
    made durable now; empty when they can. origins: allowed to browsers, by environment, or None for the server's own.
    durability: the configured level, said in every accepted answer. webhooks: whose deliveries are taken."""

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
    webhooks: Callable[[], tuple[Webhook, ...]] = tuple
