"""The environments of this router: for each its log, its watermark and its mailbox, and the actors that serve it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from router.actors.actor import Context
from router.actors.mailbox import Mailbox
from router.actors.registry import Registry
from router.actors.supervisor import Child, GiveUp, Strategy, Supervisor
from router.clocks import Clock
from router.names import EnvironmentName
from router.pipeline.committer import Fragment
from router.pipeline.consumers import Consumers
from router.pipeline.forwarding import Forwarding
from router.pipeline.indexer import Indexer
from router.pipeline.insights import Insights
from router.pipeline.ledger import Append, Ledger
from router.pipeline.partition import Partition
from router.pipeline.tail import Tail
from router.pipeline.watermark import Watermark
from router.store.dedup import DedupWindow
from router.store.engine import Damaged, Engine
from router.store.log import Log
from router.store.meta import Meta
from router.store.quarantine import Quarantine
from router.store.sources import Sources

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


@dataclass(slots=True)
class Spool:
    """What becomes of events that wait for a forward. keeps: none of them is deleted. most: bytes of them before
    further events are refused; None for no limit."""

    keeps: bool = False
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    """What the rest of the router needs of one environment. Passive: it outlives the actors' incarnations.

    forwardings, spool: as the configuration in force has them.
    """

    name: EnvironmentName
    ledger: Ledger
    mailbox: Mailbox[Append]
    tail: Tail
    consumers: Consumers
    insights: Insights
    forwardings: list[Forwarding] = field(default_factory=list)
    spool: Spool = field(default_factory=Spool)

    @property
    def log(self) -> Log:
        return self.ledger.log

    @property
    def watermark(self) -> Watermark:
        return self.ledger.watermark

    @property
    def fault(self) -> str | None:
        """Why nothing can be added, None while it can."""
        log = self.ledger.log
        fault = log.fault
        most = self.spool.most
        if fault is not None or most is None:
            return fault
        waiting = log.size_from(self.unsent)
        if waiting <= most or self.unsent >= self.watermark.end:
            return None
        return (
            f"{waiting} bytes wait to be forwarded from {self.name} and retention_bytes keeps {most}: see to the "
            'forward that is behind, or set when_full = "trim"'
        )

    @property
    def unsent(self) -> int:
        """The offset of the first event that some forward still has to deal with; the watermark without any."""
        return min((forwarding.offset for forwarding in self.forwardings), default=self.watermark.end)

    @property
    def deletable(self) -> int:
        """The offset before which retention may delete."""
        return self.watermark.end if not self.spool.keeps else min(self.unsent, self.watermark.end)

    def statistics(self) -> EnvironmentStatistics:
        watermark = self.watermark.statistics()
        return EnvironmentStatistics(
            watermark.end, self.log.low, self.log.epoch, watermark.waiting, self.insights.position.offset
        )


Prepare = Callable[[Environment], None]


class Environments(Mapping[EnvironmentName, Environment]):
    """Opens a log for every key of `windows`, whose values are the dedup windows in seconds, 0 for none.

    clock: tells what is too old for the window when it is loaded. prepare: called once with each environment that was
    opened; followers: the actors that follow its log, started after its partition. lazy: whether answers do not wait
    for the disk.

    One whose rows cannot be read at all is not among them but in `damaged`, with the reason; the others go on.
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
        *,
        prepare: Prepare = lambda _environment: None,
        followers: Callable[[Environment], Sequence[Child]] = lambda _environment: (),
        lazy: bool = False,
    ) -> None:
        self._engine = engine
        self._meta = meta
        self._clock = clock
        self._prepare = prepare
        self._followers = followers
        self._lazy = lazy
        self._committer = committer
        self._registry = registry
        self._random = random
        self._supervisor: Supervisor | None = None
        self._withdrawn: dict[EnvironmentName, Environment] = {}
        self._known: dict[EnvironmentName, Environment] = {}
        self.damaged: dict[EnvironmentName, str] = {}
        for name, window in windows.items():
            try:
                self._known[name] = self._open(name, window)
            except Damaged as error:
                self.damaged[name] = f"the log of {name} cannot be opened: {error}"

    def __getitem__(self, name: EnvironmentName) -> Environment:
        return self._known[name]

    def get(self, name: EnvironmentName, default: Any = None) -> Any:  # noqa: ANN401 - as `Mapping` has it
        # Every post asks; `Mapping`'s goes by an exception.
        return self._known.get(name, default)

    def __iter__(self) -> Iterator[EnvironmentName]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def ledgers(self) -> list[Ledger]:
        return [environment.ledger for environment in self._all()]

    async def add(self, name: EnvironmentName, window: float) -> None:
        """Serve an environment from now on: a new one, or one that was withdrawn. Returns when it takes posts, or is
        among the damaged."""
        environment = self._withdrawn.pop(name, None)
        if environment is not None:
            environment.watermark.reopen()
            self._known[name] = environment
            self.resize(name, window)
            return
        try:
            environment = self._open(name, window)
        except Damaged as error:
            self.damaged[name] = f"the log of {name} cannot be opened: {error}"
            child = _parked(name, self.damaged[name])
        else:
            child = self._child(environment)
            # Written by an earlier process, and synced by this one before its committer took anything.
            environment.ledger.publish()
            self._known[name] = environment
        if self._supervisor is not None:
            with suppress(RuntimeError, Damaged):  # it is being restarted, and begins with what is known
                await self._supervisor.add(child)

    def withdraw(self, name: EnvironmentName) -> None:
        """Serve an environment no more: its streams end and nothing finds it. Its log stays, and its actors rest: what
        they hold of the log is the only truth about its end, so a second one must not be opened beside it."""
        environment = self._known.pop(name)
        environment.watermark.close()
        self._withdrawn[name] = environment

    def resize(self, name: EnvironmentName, window: float) -> None:
        """Change the dedup window, in seconds; 0 for none."""
        ledger = self._known[name].ledger
        if not window:
            ledger.window = None
        elif ledger.window is None:
            ledger.window = DedupWindow(
                self._engine, self._meta.log(name).number, seconds=window, now=self._clock.now()
            )
        else:
            ledger.window.resize(window)

    def keep_insights(self, ages: Mapping[EnvironmentName, float | None]) -> None:
        """Keep the insights of these environments for that many seconds, None for ever."""
        for name, age in ages.items():
            if name in self._known:
                self._known[name].insights.age = age

    def end_streams(self) -> None:
        """Every reader comes to the end of its stream, and no new one waits."""
        for environment in self._known.values():
            environment.watermark.close()
            environment.ledger.settled.close()

    def supervisor(self) -> Supervisor:
        """One for one over the environments, each a subtree that is parked, not escalated, when it gives up."""
        self._supervisor = Supervisor(
            "environments",
            Strategy.ONE_FOR_ONE,
            [
                *(self._child(environment) for environment in self._all()),
                *(_parked(name, reason) for name, reason in self.damaged.items()),
            ],
            registry=self._registry,
            random=self._random,
        )
        return self._supervisor

    def _open(self, name: EnvironmentName, window: float) -> Environment:
        row = self._meta.log(name)
        log = Log(name, self._engine, row)
        dedup = DedupWindow(self._engine, row.number, seconds=window, now=self._clock.now()) if window else None
        # Nothing is visible before the committer's first sync: what a crash left in the log may not be on disk yet.
        ledger = Ledger(
            log,
            dedup,
            Quarantine(self._engine, row.number),
            Watermark(log.low),
            Sources(self._engine, row.number),
            Watermark(log.low) if self._lazy else None,
        )
        mailbox: Mailbox[Append] = Mailbox(f"{name}/partition", MAILBOX)
        consumers = Consumers(self._engine, row.number, log, ledger.watermark, self._clock)
        insights = Insights(name, self._engine, row.number, INSIGHTS_AGE)
        environment = Environment(name, ledger, mailbox, Tail(log, ledger.watermark), consumers, insights)
        self._prepare(environment)
        return environment

    def _all(self) -> Iterator[Environment]:
        yield from self._known.values()
        yield from self._withdrawn.values()

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
            lambda: Indexer(
                self._engine,
                environment.log,
                environment.watermark,
                environment.insights,
                self._clock,
                lambda: len(self._known),
            ),
            give_up=GiveUp.PARK,  # posts are taken in, and read, without it
        )
        return Supervisor(
            str(environment.name),
            Strategy.REST_FOR_ONE,
            [partition, indexer, *self._followers(environment)],
            registry=self._registry,
            random=self._random,
        )


class Parked:
    """Actor in the place of an environment that cannot be opened, so that the tree shows it and why."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def run(self, context: Context[None]) -> None:
        context.started()
        raise Damaged(self._reason)


def _parked(name: EnvironmentName, reason: str) -> Child:
    return Child(str(name), lambda: Parked(reason), give_up=GiveUp.PARK)
