"""Makes what the configuration says under `[[environment.forward]]`: its state, and the actors that work on it."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Final

from router.actors.registry import Registry
from router.actors.supervisor import Child, GiveUp, Strategy, Supervisor
from router.clocks import Clock
from router.config.model import Config, Environment, Forward, Target, WhenFull
from router.errors import Interrupted
from router.names import EnvironmentName
from router.pipeline import environments
from router.pipeline.forwarder import GRACE, Forwarder
from router.pipeline.forwarding import Filter, Forwarding
from router.pipeline.ledger import Append
from router.pipeline.outgoing import Outgoing
from router.pipeline.outgoing_http import ToHttp
from router.pipeline.outgoing_launchdarkly import ToLaunchDarkly
from router.pipeline.outgoing_router import ToRouter
from router.pipeline.outgoing_statsig import ToStatsig
from router.pipeline.pacing import Pace, Window
from router.pipeline.transport import connections
from router.store.cursors import Cursors
from router.store.engine import Engine
from router.store.quarantine import Item

KIND: Final = "forward"  # of the cursors
KEEP_TIMEOUT: Final = 30.0  # seconds for an event that a target refuses to be kept in quarantine
STOP_BUDGET: Final = GRACE + 1
_MINUTE: Final = 60.0


@dataclass(slots=True)
class _Served:
    """One environment, and what its forwards were made of, by name. supervisor: of their actors, the latest one."""

    environment: "environments.Environment"
    recipes: dict[str, object] = field(default_factory=dict)
    supervisor: Supervisor | None = None


class Forwards:
    """The forwards of every environment, by the configuration in force."""

    def __init__(self, config: Config, engine: Engine, registry: Registry, clock: Clock, random: Random) -> None:
        self._environments = {environment.name: environment for environment in config.environments}
        self._engine = engine
        self._registry = registry
        self._clock = clock
        self._random = random
        self._served: dict[EnvironmentName, _Served] = {}

    def prepare(self, environment: "environments.Environment") -> None:
        """Give an environment that was opened its forwards; their actors are among its `children`."""
        served = self._served[environment.name] = _Served(environment)
        configured = self._environments.get(environment.name)
        if configured is None:
            return
        _set_spool(environment, configured)
        for forward in configured.forwards:
            environment.forwardings.append(self._make(environment, configured, forward))
            served.recipes[forward.called] = _recipe(configured, forward)

    def children(self, environment: "environments.Environment") -> Sequence[Child]:
        """One supervisor for all of an environment's: when it gives up it is parked, and events still come in."""
        served = self._served[environment.name]
        name = _name(environment)
        return (Child(name, lambda: self._supervisor(served), stop_budget=STOP_BUDGET, give_up=GiveUp.PARK),)

    async def follow(self, config: Config) -> None:
        """Put a changed configuration in force: what is gone or different stops, with its place kept under its name;
        what is new or different starts; the rest goes on undisturbed."""
        self._environments = {environment.name: environment for environment in config.environments}
        for name, served in self._served.items():
            environment, configured = served.environment, self._environments.get(name)
            wanted = {} if configured is None else {forward.called: forward for forward in configured.forwards}
            recipes = {} if configured is None else {
                called: _recipe(configured, forward) for called, forward in wanted.items()
            }  # fmt: skip
            for forwarding in list(environment.forwardings):
                if recipes.get(forwarding.name) != served.recipes[forwarding.name]:
                    await self._remove(served, forwarding)
            if configured is None:
                continue
            _set_spool(environment, configured)
            for called, forward in wanted.items():
                if called not in served.recipes:
                    await self._add(served, self._make(environment, configured, forward), recipes[called])

    async def _remove(self, served: _Served, forwarding: Forwarding) -> None:
        served.environment.forwardings.remove(forwarding)
        del served.recipes[forwarding.name]
        if served.supervisor is not None:
            with suppress(KeyError, RuntimeError, Interrupted):  # it is being restarted, and begins with what is left
                await served.supervisor.remove(self._child(served, forwarding).name)

    async def _add(self, served: _Served, forwarding: Forwarding, recipe: object) -> None:
        served.environment.forwardings.append(forwarding)
        served.recipes[forwarding.name] = recipe
        if served.supervisor is not None:
            with suppress(RuntimeError, Interrupted):
                await served.supervisor.add(self._child(served, forwarding))

    def _make(self, environment: "environments.Environment", configured: Environment, forward: Forward) -> Forwarding:
        log = environment.log
        return Forwarding(
            forward.called,
            forward.to.value,
            outgoing(configured, forward),
            _filter(forward),
            _pace(forward),
            self._engine,
            log,
            environment.ledger.settled,
            Cursors(self._engine, log.row.number, KIND),
        )

    def _supervisor(self, served: _Served) -> Supervisor:
        served.supervisor = Supervisor(
            _name(served.environment),
            Strategy.ONE_FOR_ONE,
            [self._child(served, forwarding) for forwarding in served.environment.forwardings],
            registry=self._registry,
            random=self._random,
        )
        return served.supervisor

    def _child(self, served: _Served, forwarding: Forwarding) -> Child:
        mailbox = served.environment.mailbox

        async def set_aside(item: Item) -> None:
            await mailbox.ask(Append(b"", 0, set_aside=(item,)), timeout=KEEP_TIMEOUT)

        return Child(
            f"{_name(served.environment)}/{forwarding.name}",
            lambda: Forwarder(forwarding, connections, set_aside, self._clock, self._random),
            stop_budget=STOP_BUDGET,
            give_up=GiveUp.PARK,
        )


def _name(environment: "environments.Environment") -> str:
    return f"{environment.name}/forwards"


def _recipe(configured: Environment, forward: Forward) -> object:
    """What a forward is made of: where it differs, another one has to be made."""
    keys = (configured.sdk_keys, configured.mobile_keys, configured.client_side_ids, configured.statsig_keys)
    return forward, keys


def _set_spool(environment: "environments.Environment", configured: Environment) -> None:
    spool = environment.spool
    spool.keeps = configured.when_full is WhenFull.REFUSE and bool(configured.forwards)
    spool.most = configured.retention_bytes if spool.keeps else None


def outgoing(environment: Environment, forward: Forward) -> Outgoing:
    """What speaks to the target of `forward`."""
    if forward.to is Target.ROUTER:
        return ToRouter(forward.url, forward.token or "", environment.name)
    if forward.to is Target.LAUNCHDARKLY:
        return ToLaunchDarkly(forward.url, forward.key, environment)
    if forward.to is Target.STATSIG:
        return ToStatsig(forward.url, forward.key, environment)
    return ToHttp(forward.url, forward.token, environment.name)


def _filter(forward: Forward) -> Filter:
    return Filter(
        None if forward.kinds is None else frozenset(kind.value for kind in forward.kinds),
        None if forward.dialects is None else frozenset(forward.dialects),
        latest=forward.from_latest,
        newest_first=forward.order == "newest",
    )


def _pace(forward: Forward) -> Pace:
    return Pace(
        bandwidth=forward.max_bandwidth,
        rate=None if forward.max_requests is None else forward.max_requests / _MINUTE,
        windows=[Window(*window) for window in forward.windows],
    )
