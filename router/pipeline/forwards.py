"""Makes what the configuration says under `[[environment.forward]]`: its state, and the actors that work on it."""

from collections.abc import Sequence
from random import Random
from typing import Final

from router.actors.registry import Registry
from router.actors.supervisor import Child, GiveUp, Strategy, Supervisor
from router.clocks import Clock
from router.config.model import Config, Environment, Forward, Target
from router.names import EnvironmentName
from router.pipeline import environments
from router.pipeline.forwarder import GRACE, Forwarder
from router.pipeline.forwarding import Filter, Forwarding
from router.pipeline.ledger import Append, Ledger
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


class Forwards:
    """The forwards of every environment of `config`."""

    def __init__(self, config: Config, engine: Engine, registry: Registry, clock: Clock, random: Random) -> None:
        self._environments = {environment.name: environment for environment in config.environments}
        self._engine = engine
        self._registry = registry
        self._clock = clock
        self._random = random

    def make(self, name: EnvironmentName, number: int, ledger: Ledger) -> tuple[Forwarding, ...]:
        """The forwards of one environment, whose log has this number."""
        environment = self._environments.get(name)
        if environment is None:
            return ()
        cursors = Cursors(self._engine, number, KIND)
        return tuple(
            Forwarding(
                forward.called,
                forward.to.value,
                outgoing(environment, forward),
                _filter(forward),
                _pace(forward),
                self._engine,
                ledger.log,
                ledger.settled,
                cursors,
            )
            for forward in environment.forwards
        )

    def children(self, environment: "environments.Environment") -> Sequence[Child]:
        """One supervisor for all of an environment's: when it gives up it is parked, and events still come in."""
        if not environment.forwardings:
            return ()
        name = f"{environment.name}/forwards"
        return (Child(name, lambda: self._supervisor(name, environment), stop_budget=STOP_BUDGET, give_up=GiveUp.PARK),)

    def _supervisor(self, name: str, environment: "environments.Environment") -> Supervisor:
        async def set_aside(item: Item) -> None:
            await environment.mailbox.ask(Append(b"", 0, set_aside=(item,)), timeout=KEEP_TIMEOUT)

        def child(forwarding: Forwarding) -> Child:
            return Child(
                f"{name}/{forwarding.name}",
                lambda: Forwarder(forwarding, connections, set_aside, self._clock, self._random),
                stop_budget=STOP_BUDGET,
                give_up=GiveUp.PARK,
            )

        return Supervisor(
            name,
            Strategy.ONE_FOR_ONE,
            [child(forwarding) for forwarding in environment.forwardings],
            registry=self._registry,
            random=self._random,
        )


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
