"""A new configuration in force without a connection dropped, or the old one kept whole.

What a reload changes is read by its users at every use, from `Services`, `Guard` and `Server`; here it is set.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
import trio

from router.actors.supervisor import Child
from router.config import Config, ConfigurationError
from router.config_watch import ConfigWatch
from router.http.admission import AdmissionLimits
from router.http.clients import Proxies
from router.http.guard import Guard, GuardLimits
from router.http.server import Server
from router.http.services import Services, StreamLimits
from router.logs import Curtain
from router.names import EnvironmentName
from router.pipeline.environments import Environments
from router.pipeline.retention import Retention
from router.pipeline.space import Space
from router.redaction import Redactor
from router.store.threads import Threads
from router.systemd import Notifier

Follower = Callable[[Config], Awaitable[None]]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ReloadStatistics:
    """done: reloads that took effect; refused: configurations with faults; in_force_since: unix ms."""

    done: int
    refused: int
    in_force_since: int


class Reload:
    """Puts what `read` returns in force, once for each `ask`, whoever asks how often.

    read: makes a checked configuration; called in a thread. followers: told of a configuration that is in force now,
    in order; for parts of the router that have something of their own to change.
    """

    def __init__(
        self,
        read: Callable[[], Config] | None,
        services: Services,
        environments: Environments,
        guard: Guard,
        server: Server,
        threads: Threads,
        notifier: Notifier,
        space: Space,
        curtain: Curtain,
        *,
        followers: Sequence[Follower] = (),
    ) -> None:
        self._read = read
        self._services = services
        self._environments = environments
        self._guard = guard
        self._server = server
        self._threads = threads
        self._notifier = notifier
        self._space = space
        self._curtain = curtain
        self._followers = followers
        self._asked = trio.Event()
        self._done = 0
        self._refused = 0
        self._since = services.started
        self._files = services.config.files

    def ask(self) -> None:
        """Reload soon; asked again before it has begun, once."""
        self._asked.set()

    async def run(self) -> None:
        """Serve what is asked, for ever."""
        while True:
            await self._asked.wait()
            self._asked = trio.Event()
            self._notifier.reloading()
            await self._reload()
            self._notifier.ready(f"serving {len(self._environments)} environments")

    def watch(self) -> Child:
        """The actor that asks when a file has changed since it was read, into a good configuration or not."""
        services = self._services
        return Child(
            "config",
            lambda: ConfigWatch(
                lambda: self._files, lambda: services.config.server.watch_interval, self.ask, self._threads
            ),
        )

    def statistics(self) -> ReloadStatistics:
        return ReloadStatistics(self._done, self._refused, self._since)

    async def _reload(self) -> None:
        if self._read is None:
            _log.warning("there is no configuration file to reload")
            return
        try:
            new = await self._threads.maintenance(self._read)
        except ConfigurationError as error:
            self._refused += 1
            self._files = error.files
            faults = [str(fault) for fault in error.faults]
            _log.error("the new configuration is refused, the old one stays in force", faults=faults)
            return
        old = self._services.config
        self._files = new.files
        if settings := old.needs_restart(new):
            _log.warning("settings that take effect at the next start only", settings=list(settings))
        try:
            await put_in_force(new, self._services, self._environments, self._guard, self._server)
            self._space.min_free = new.storage.min_free
            self._curtain.redact = self._services.redact
            for tell in self._followers:
                await tell(new)
        except Exception:  # noqa: BLE001 - whatever it is, the router goes on serving
            self._refused += 1
            _log.exception("the new configuration could not be put in force whole; correct it and reload, or restart")
            return
        self._done += 1
        self._since = self._services.clock.now()
        _log.info("the new configuration is in force", environments=len(new.environments), tokens=len(new.tokens))


async def put_in_force(
    new: Config, services: Services, environments: Environments, guard: Guard, server: Server
) -> None:
    """Everything that a reload changes, in an order in which no good key is refused: an environment takes posts before
    its keys are known, and its keys are forgotten before it is withdrawn.

    Raises:
        OSError: the certificate is gone since it was checked.
    """
    server.reload_certificate(new.server.tls_cert, new.server.tls_key)
    for environment in new.environments:
        if environment.name in environments:
            environments.resize(environment.name, environment.dedup_window)
        elif environment.name not in environments.damaged:
            await environments.add(environment.name, environment.dedup_window)
    follow(services, new)
    guard.limit(guard_limits(new))
    server.limit(new.server.head_timeout, admission_limits(new))
    kept = {environment.name for environment in new.environments}
    for name in [name for name in environments if name not in kept]:
        environments.withdraw(name)


def follow(services: Services, config: Config) -> None:
    """Set everything in `services` that comes from a configuration."""
    keyring = config.keyring()
    own = {environment.name: environment.cors_origins for environment in config.environments}
    everywhere = config.server.cors_origins

    def origins(name: EnvironmentName | None) -> tuple[str, ...]:
        found = own.get(name) if name is not None else None
        return everywhere if found is None else found

    services.config = config
    services.keyring = lambda: keyring
    services.origins = origins
    services.redact = Redactor(config.secrets())
    services.max_body = config.server.max_body
    services.max_inflated = config.server.max_inflated
    # The heartbeat of a running router stays: what streams have begun with, their readers count on.
    services.streams = StreamLimits(
        config.server.max_streams,
        services.streams.heartbeat,
        config.server.max_streams_per_token,
        config.server.stream_max_age,
    )


def retention(services: Services) -> Callable[[EnvironmentName], Retention]:
    """What each environment keeps, by the configuration in force."""

    def kept(name: EnvironmentName) -> Retention:
        for environment in services.config.environments:
            if environment.name == name:
                return Retention(environment.retention_age, environment.retention_bytes)
        return Retention(None, None)  # being taken away: its data stays

    return kept


def guard_limits(config: Config) -> GuardLimits:
    """What the guard holds requests to."""
    server = config.server
    proxies = Proxies(server.trusted_proxies)
    return GuardLimits(server.max_in_flight, server.max_body, server.body_timeout, server.max_per_address, proxies)


def admission_limits(config: Config) -> AdmissionLimits:
    """What the server holds new connections to."""
    server = config.server
    return AdmissionLimits(server.max_connections, server.max_per_address, Proxies(server.trusted_proxies))
