"""The daemon: opens the store, grows the actor tree around it, and takes everything down in order.

The engine is no actor: it is open around the tree, since nothing below could go on without it and a failed sync must
never be retried in the same process.
"""

import faulthandler
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import structlog
import trio

from router import __version__, pages
from router.actors.actor import Context
from router.actors.health import State
from router.actors.mailbox import Mailbox
from router.actors.registry import Registry
from router.actors.supervisor import Child, RestartsExceeded, Root, Strategy, Supervisor, run_root
from router.clocks import Clock, Stamps, SystemClock
from router.config import Config, Durability
from router.credentials import Keyring
from router.dialects.cloudevents import CloudEvents
from router.dialects.dialect import Dialect
from router.dialects.launchdarkly import LaunchDarkly
from router.dialects.statsig import Statsig
from router.errors import Fatal
from router.http.app import create_app
from router.http.guard import Application, Guard
from router.http.ingest import Ingest
from router.http.lane import Lane
from router.http.requests import RequestLog
from router.http.server import Server, ServerSettings
from router.http.services import Services, StreamLimits
from router.http.sockets import Listener, open_listeners
from router.http.streams import Streams
from router.logs import Curtain
from router.names import EnvironmentName
from router.pipeline.checkpoints import Checkpoints
from router.pipeline.committer import Committer, Fragment
from router.pipeline.environments import Environments
from router.pipeline.forwards import Forwards
from router.pipeline.space import Space
from router.pipeline.sweeper import Sweeper
from router.pipeline.syncer import Syncer
from router.pulse import recover
from router.reload import Reload, admission_limits, follow, guard_limits, retention
from router.store.engine import Damaged, Engine, NoSpace
from router.store.meta import Meta
from router.store.threads import Threads
from router.systemd import Notifier
from router.watch import Watch

COMMITTER_MAILBOX = 4096
CORE_BUDGET = 20.0  # seconds for environments and committer to drain; they hold at most a few groups
LAST_RESORT = 15.0  # seconds after all budgets are spent until the process is ended from outside the loop

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Running:
    """A daemon that serves: its addresses as printable URLs."""

    addresses: tuple[str, ...]


Announce = Callable[[Running], None]


class Front:
    """Actor. Serves HTTP until it is asked to stop; then ends the streams and lets requests in flight finish."""

    def __init__(self, services: Services, environments: Environments, server: Server) -> None:
        self._services = services
        self._environments = environments
        self._server = server

    async def run(self, context: Context[None]) -> None:
        drained = trio.Event()
        async with trio.open_nursery() as nursery:
            await nursery.start(self._server.serve, drained)
            context.started()
            await context.stopping.wait()
            self._services.drain.begun = True
            self._environments.end_streams()
            drained.set()


def _dialects(config: Config) -> tuple[Dialect, ...]:
    return (LaunchDarkly(), Statsig(config.server.statsig_aliases), CloudEvents())


@asynccontextmanager
async def open_engine(path: Path, threads: Threads) -> AsyncIterator[Engine]:
    """The engine on `path`, closed in a thread whatever happens: closing flushes and may take seconds."""
    engine = await threads.maintenance(lambda: Engine.open(path))
    try:
        yield engine
    finally:
        with trio.CancelScope(shield=True):
            await threads.maintenance(engine.close)


@contextmanager
def _watched_end() -> Iterator[None]:
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


async def run(
    config: Config,
    *,
    announce: Announce,
    notifier: Notifier,
    reread: Callable[[], Config] | None = None,
    curtain: Curtain | None = None,
    clock: Clock | None = None,
    random: Random | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return. A second signal skips the drain. SIGHUP puts what `reread`
    returns in force; what must not be logged from then on is told to `curtain`.

    Raises:
        Locked: another process has the data directory open.
        Fatal: what was promised cannot be kept any more; the process must exit.
        RestartsExceeded: an actor that everything depends on failed again and again.
    """
    clock = clock or SystemClock()
    random = random or Random()  # noqa: S311 - jitter, not a secret
    threads = Threads()
    listeners = open_listeners(
        config.server.bind,
        backlog=config.server.backlog,
        user_timeout=config.server.tcp_user_timeout,
        tls=config.server.tls_cert is not None,
    )
    # Listened to from the beginning: a signal during a long recovery, or in the moment after READY, must not kill.
    receiver = trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    with ExitStack() as stack:
        signals = stack.enter_context(receiver)
        stack.enter_context(_watched_end())
        for listener in listeners:
            stack.callback(listener.close)
        try:
            await _run(
                config, reread, curtain or Curtain(), listeners, threads, clock, random, announce, notifier, signals
            )
        except BaseExceptionGroup as group:
            if (reason := _reason(group)) is not None:
                raise reason from group
            raise
        finally:
            # What came while the store was being closed, and nobody took, would be raised again by trio, and kill.
            with trio.move_on_after(0.01):
                async for _ in signals:
                    pass


def _reason(group: BaseExceptionGroup[BaseException]) -> Exception | None:
    """What of a group says why the daemon cannot go on: the rest of it is what fell with it."""
    for kind in (Fatal, Damaged, NoSpace, RestartsExceeded):
        found: BaseException | None = group.subgroup(kind)
        while isinstance(found, BaseExceptionGroup):
            found = found.exceptions[0]
        if isinstance(found, kind):
            return found
    return None


async def _run(
    config: Config,
    reread: Callable[[], Config] | None,
    curtain: Curtain,
    listeners: tuple[Listener, ...],
    threads: Threads,
    clock: Clock,
    random: Random,
    announce: Announce,
    notifier: Notifier,
    signals: AsyncIterator[int],
) -> None:
    async with AsyncExitStack() as stack:
        path = config.storage.path
        opening = open_engine(path, threads)
        engine = await recover(notifier, path, lambda: stack.enter_async_context(opening))
        registry = Registry(clock)
        meta = Meta(engine)
        committer: Mailbox[Fragment] = Mailbox("committer", COMMITTER_MAILBOX)
        forwards = Forwards(config, engine, registry, clock, random)
        environments = Environments(
            {environment.name: environment.dedup_window for environment in config.environments},
            engine,
            meta,
            committer,
            registry,
            clock,
            random,
            prepare=forwards.prepare,
            followers=forwards.children,
            lazy=config.storage.durability is Durability.OS,
        )
        environments.keep_insights(insights_ages(config))

        async def keep_insights(new: Config) -> None:
            environments.keep_insights(insights_ages(new))

        space = Space(config.storage.min_free)
        checkpoints = Checkpoints(engine, threads)
        services = _services(config, clock, environments, registry, space, threads, checkpoints, random)
        sweeper = _sweeper(services, engine, meta, threads, space, environments)
        streams = Streams(services)
        ingest, guard, server = _front(config, services, streams, listeners)

        async def revoke(_new: Config) -> None:
            streams.revoke()

        watch = Watch(services, ingest, guard, server, engine, notifier)
        reload = Reload(
            reread,
            services,
            environments,
            guard,
            server,
            threads,
            notifier,
            space,
            curtain,
            followers=[revoke, forwards.follow, keep_insights],
        )
        chores = [Child("sweeper", sweeper), watch.trimmer(), reload.watch()]
        root = _tree(
            config, services, environments, committer, space, chores, engine, threads, server, registry, random, watch
        )
        async with trio.open_nursery() as nursery:
            handle = await nursery.start(_run_tree, root, nursery.cancel_scope)
            if len(environments) >= pages.MANY:
                _log.debug("put on huge pages", bytes=await threads.maintenance(pages.collapse))
            announce(Running(tuple(listener.address for listener in listeners)))
            notifier.ready(f"serving {len(environments)} environments")
            nursery.start_soon(reload.run)
            nursery.start_soon(
                _heed_signals, signals, reload.ask, handle.stop, nursery.cancel_scope, notifier, _budget(config)
            )
        _log.info("drained", **{str(name): item.watermark.end for name, item in environments.items()})


def _sweeper(
    services: Services,
    engine: Engine,
    meta: Meta,
    threads: Threads,
    space: Space,
    environments: Environments,
) -> Callable[[], Sweeper]:
    interval = services.config.storage.sweep_interval

    def make() -> Sweeper:
        return Sweeper(
            engine, meta, threads, space, environments, retention(services), services.clock, interval=interval
        )

    return make


def _services(
    config: Config,
    clock: Clock,
    environments: Environments,
    registry: Registry,
    space: Space,
    threads: Threads,
    checkpoints: Checkpoints,
    random: Random,
) -> Services:
    def readiness() -> list[str]:
        if services.drain.begun:
            return ["the router is stopping"]
        state = registry.handle("committer").state
        if state is not State.RUNNING:
            return [f"the committer is {state.value}"]
        return [] if space.reason is None else [space.reason]

    services = Services(
        clock=clock,
        keyring=Keyring,
        environments=environments,
        damaged=environments.damaged,
        checkpoints=checkpoints,
        registry=registry,
        readiness=readiness,
        origins=lambda _name: (),
        redact=lambda body: body,
        durability=config.storage.durability.value,
        streams=StreamLimits(heartbeat=config.server.heartbeat),
        random=random,
        started=clock.now(),
        threads=threads,
    )
    follow(services, config)
    return services


def _front(
    config: Config, services: Services, streams: Streams, listeners: tuple[Listener, ...]
) -> tuple[Ingest, Guard, Server]:
    server = config.server
    ingest = Ingest(services)
    dialects = _dialects(config)
    guard = Guard(create_app(services, dialects, ingest, streams), limits=guard_limits(config))
    settings = ServerSettings(
        keep_alive_timeout=server.keep_alive_timeout,
        drain_timeout=server.drain_timeout,
        head_timeout=server.head_timeout,
        admission=admission_limits(config),
        max_head=server.max_head,
        write_timeout=server.write_timeout,
        tls_cert=server.tls_cert,
        tls_key=server.tls_key,
    )
    front: Application = RequestLog(guard, services.random) if config.log.requests else guard
    # A line for every request is the plain route's to write.
    fast = server.fast_lane and not config.log.requests
    lane = Lane(services, dialects, ingest, streams, guard) if fast else None
    return ingest, guard, Server(front, listeners, settings, lane)


def _tree(
    config: Config,
    services: Services,
    environments: Environments,
    committer: Mailbox[Fragment],
    space: Space,
    chores: list[Child],
    engine: Engine,
    threads: Threads,
    server: Server,
    registry: Registry,
    random: Random,
    watch: Watch,
) -> Supervisor:
    fsync = config.storage.durability is Durability.FSYNC
    stamps = Stamps(services.clock, max((ledger.log.last_arrival for ledger in environments.ledgers()), default=0))

    syncer = Child(
        "syncer", lambda: Syncer(engine, threads, environments.ledgers, interval=config.storage.sync_interval)
    )
    core = Child(
        "core",
        lambda: Supervisor(
            "core",
            Strategy.ONE_FOR_ONE,
            [
                Child(
                    "committer",
                    lambda: Committer(
                        engine, threads, stamps, environments.ledgers, space, fsync=fsync, commits=watch.commits
                    ),
                    mailbox=committer,
                    stop_budget=CORE_BUDGET / 2,
                ),
                Child("environments", environments.supervisor, stop_budget=CORE_BUDGET / 2),
                *chores,
                *(() if fsync else (syncer,)),
            ],
            registry=registry,
            random=random,
        ),
        stop_budget=CORE_BUDGET,
    )
    front = Child(
        "http",
        lambda: Front(services, environments, server),
        stop_budget=config.server.drain_timeout + 5,
    )
    return Supervisor("root", Strategy.REST_FOR_ONE, [core, front, watch.child()], registry=registry, random=random)


async def _run_tree(
    root: Supervisor, scope: trio.CancelScope, *, task_status: trio.TaskStatus[Root] = trio.TASK_STATUS_IGNORED
) -> None:
    await run_root(root, task_status=task_status)
    scope.cancel(reason="the tree has stopped")


def insights_ages(config: Config) -> dict[EnvironmentName, float | None]:
    """Seconds that the insights of each environment are kept, None for ever."""
    return {environment.name: environment.insights_age for environment in config.environments}


def _budget(config: Config) -> float:
    return config.server.drain_timeout + 5 + CORE_BUDGET


async def _heed_signals(
    signals: AsyncIterator[int],
    reload: Callable[[], None],
    stop: Callable[[], None],
    scope: trio.CancelScope,
    notifier: Notifier,
    budget: float,
) -> None:
    stopping = False
    async for number in signals:
        if number == signal.SIGHUP:
            if not stopping:
                reload()
            continue
        if stopping:
            _log.warning("second signal, the drain is skipped", signal=signal.Signals(number).name)
            scope.cancel(reason="second signal")
            return
        stopping = True
        _log.info("stopping", signal=signal.Signals(number).name, version=__version__, pid=os.getpid())
        notifier.stopping()
        # Should something below hold up the loop for good, say where and end: systemd would only kill.
        faulthandler.dump_traceback_later(budget + LAST_RESORT, exit=True, file=sys.stderr)
        stop()
