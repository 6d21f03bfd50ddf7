"""The environments of this router: for each its log, its watermark and its mailbox, and the actors that serve it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from router.actors.mailbox import Mailbox
from router.actors.registry import Registry
from router.actors.supervisor import Child, GiveUp, Strategy, Supervisor
from router.clocks import Clock
from router.names import EnvironmentName
from router.pipeline.committer import Fragment
from router.pipeline.indexer import Indexer
from router.pipeline.insights import Insights
from router.pipeline.ledger import Append, Ledger
from router.pipeline.partition import Partition
from router.pipeline.watermark import Watermark
from router.store.dedup import DedupWindow
from router.store.engine import Engine
from router.store.log import Log
from router.store.meta import Meta
from router.store.quarantine import Quarantine

INSIGHTS_AGE = 90 * 86_400.0  # seconds
MAILBOX = 1024  # requests that wait for one environment's partition before further ones are told to come back


@dataclass(frozen=True, slots=True)
class EnvironmentStatistics:
    """head: offset after the last durable event; low: first one kept; epoch: of the log's cursors; waiting: readers;
    indexed: offset of the first event that insights do not know yet."""

    head: int
    low: int
    epoch: str
    waiting: int
    indexed: int


@dataclass(frozen=True, slots=True)
class Environment:
    """What the rest of the router needs of one environment. Passive: it outlives the actors' incarnations."""

    name: EnvironmentName
    ledger: Ledger
    mailbox: Mailbox[Append]
    insights: Insights

    @property
    def log(self) -> Log:
        return self.ledger.log

    @property
    def watermark(self) -> Watermark:
        return self.ledger.watermark

    def statistics(self) -> EnvironmentStatistics:
        watermark = self.watermark.statistics()
        return EnvironmentStatistics(
            watermark.end, self.log.low, self.log.epoch, watermark.waiting, self.insights.position.offset
        )


class Environments(Mapping[EnvironmentName, Environment]):
    """Opens a log for every key of `windows`, whose values are the dedup windows in seconds, 0 for none.

    clock: tells what is too old for the window when it is loaded. insights_ages: seconds that insights are kept, None
    for ever; as their default where an environment is not named.

    Raises:
        Damaged: the last entry of a log cannot be read.
    """

    def __init__(
        self,
        windows: Mapping[EnvironmentName, float],
        engine: Engine,
        meta: Meta,
        committer: Mailbox[Fragment],
        registry: Registry,
        clock: Clock,
        random: Random,
        insights_ages: Mapping[EnvironmentName, float | None] | None = None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._committer = committer
        self._registry = registry
        self._random = random
        ages = insights_ages or {}
        self._known = {
            name: _open(name, engine, meta, window, clock.now(), ages.get(name, INSIGHTS_AGE))
            for name, window in windows.items()
        }

    def __getitem__(self, name: EnvironmentName) -> Environment:
        return self._known[name]

    def __iter__(self) -> Iterator[EnvironmentName]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def ledgers(self) -> list[Ledger]:
        return [environment.ledger for environment in self._known.values()]

    def end_streams(self) -> None:
        """Every reader comes to the end of its stream, and no new one waits."""
        for environment in self._known.values():
            environment.watermark.close()

    def supervisor(self) -> Supervisor:
        """One for one over the environments, each a subtree that is parked, not escalated, when it gives up."""
        return Supervisor(
            "environments",
            Strategy.ONE_FOR_ONE,
            [self._child(environment) for environment in self._known.values()],
            registry=self._registry,
            random=self._random,
        )

    def _child(self, environment: Environment) -> Child:
        return Child(str(environment.name), lambda: self._subtree(environment), give_up=GiveUp.PARK)

    def _subtree(self, environment: Environment) -> Supervisor:
        partition = Child(
            f"{environment.name}/partition",
            lambda: Partition(environment.ledger, self._committer),
            mailbox=environment.mailbox,
        )
        indexer = Child(
            f"{environment.name}/indexer",
            lambda: Indexer(self._engine, environment.log, environment.watermark, environment.insights, self._clock),
            give_up=GiveUp.PARK,  # posts are taken in, and read, without it
        )
        return Supervisor(
            str(environment.name),
            Strategy.REST_FOR_ONE,
            [partition, indexer],
            registry=self._registry,
            random=self._random,
        )


def _open(
    name: EnvironmentName, engine: Engine, meta: Meta, window: float, now: int, insights_age: float | None
) -> Environment:
    row = meta.log(name)
    log = Log(name, engine, row)
    dedup = DedupWindow(engine, row.number, seconds=window, now=now) if window else None
    # Nothing is visible before the committer's first sync: what a crash left in the log may not be on disk yet.
    return Environment(
        name,
        Ledger(log, dedup, Quarantine(engine, row.number), Watermark(log.low)),
        Mailbox(f"{name}/partition", MAILBOX),
        Insights(name, engine, row.number, insights_age),
    )
