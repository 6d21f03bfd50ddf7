"""The actor that feels the router's pulse: is the loop late, does what everything depends on live? Tells the service
manager, and only while all is well does it feed the watchdog.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import trio

from router.actors.actor import Context
from router.actors.health import State
from router.actors.registry import Registry
from router.histogram import Histogram, HistogramStatistics
from router.http.audience import Audience
from router.http.ingest import IngestStatistics
from router.systemd import Notifier

T = TypeVar("T")
BEAT: Final = 0.25  # seconds
PATIENCE: Final = 30.0  # seconds that a start may take with nothing to recover
REPLAY: Final = 2_000_000  # bytes of write-ahead log a second; a slow disk replays some ten times as much
VITAL: Final = ("root", "core", "committer")
"""Without these nothing can be made durable. A parked environment is not among them: a restart would not bring it back
sooner than its operator, and would cost its neighbours."""


@dataclass(frozen=True, slots=True)
class PulseStatistics:
    """lag: seconds by which the loop was late, at each of four looks a second; worst: the most since the start; fed:
    times that the watchdog was fed; withheld: times that it was not, for a reason."""

    lag: HistogramStatistics
    worst: float
    fed: int
    withheld: int


class Pulse:
    """The running counts, over all incarnations of the actor."""

    def __init__(self) -> None:
        self.lag = Histogram()
        self.worst = 0.0
        self.fed = 0
        self.withheld = 0

    def late(self, seconds: float) -> None:
        self.lag.observe(seconds)
        self.worst = max(self.worst, seconds)

    def statistics(self) -> PulseStatistics:
        return PulseStatistics(self.lag.statistics(), self.worst, self.fed, self.withheld)


def ailments(registry: Registry) -> list[str]:
    """Why the watchdog is not to be fed, if it is not: what is vital has failed, or stands still."""
    found = []
    stalled = registry.stalled()
    for name in VITAL:
        try:
            state = registry.handle(name).state
        except KeyError:
            continue
        if state is not State.RUNNING:
            found.append(f"{name} is {state.value}")
        elif name in stalled:
            found.append(f"{name} is stalled")
    return found


class PulseActor:
    """Actor. Beats four times a second; speaks to the service manager as often as it asks for.

    line: the status for people, read once for each feeding.
    """

    def __init__(self, pulse: Pulse, registry: Registry, notifier: Notifier, line: Callable[[], str]) -> None:
        self._pulse = pulse
        self._registry = registry
        self._notifier = notifier
        self._line = line

    async def run(self, context: Context[Any]) -> None:
        context.started()
        said = ""
        spoken = -1.0
        while not context.stopping.is_set():
            due = trio.current_time() + BEAT
            with trio.move_on_at(due):
                await context.stopping.wait()
            now = trio.current_time()
            self._pulse.late(max(0.0, now - due))
            context.progress()
            if now - spoken < self._notifier.interval or context.stopping.is_set():
                continue
            spoken = now
            reasons = ailments(self._registry)
            if reasons:
                self._pulse.withheld += 1
            else:
                self._pulse.fed += 1
            line = "not well: " + "; ".join(reasons) if reasons else self._line()
            self._notifier.beat(alive=not reasons, status=None if line == said else line)
            said = line


def status_line(environments: int, reasons: list[str], ingest: IngestStatistics, audience: Audience) -> str:
    """What `systemctl status` shows of the router: one line, the trouble first."""
    parts = [f"not ready: {'; '.join(reasons)}"] if reasons else []
    parts.append(f"{environments} environments, {ingest.stored:,} events stored, {len(audience)} streams")
    if ingest.set_aside:
        parts.append(f"{ingest.set_aside:,} events set aside")
    if refused := sum(ingest.refused.values()):
        parts.append(f"{refused:,} posts refused")
    return "; ".join(parts)


async def recover(notifier: Notifier, path: Path, open_: Callable[[], Awaitable[T]]) -> T:
    """What `open_` returns, which opens the data directory `path`; the service manager hears that the start goes on.

    RocksDB replays its log without letting go of the interpreter, so that nothing can be said in between: what is
    asked for at the beginning is enough for all of the log at `REPLAY` bytes a second, and it is renewed when it can.
    """
    size = _unflushed(path)
    patience = PATIENCE + size / REPLAY
    line = f"recovering {size / 1e6:,.0f} MB of write-ahead log"

    async def renew() -> None:
        while True:
            notifier.recovering(patience, line)
            await trio.sleep(PATIENCE / 3)

    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(renew)
        await trio.lowlevel.checkpoint()
        try:
            opened = await open_()
        except Exception as error:  # noqa: BLE001 - raised below, where no nursery makes a group of it
            failure = error
        nursery.cancel_scope.cancel(reason="recovered")
    if failure is not None:
        raise failure
    return opened


def _unflushed(path: Path) -> int:
    return sum(file.stat().st_size for file in path.glob("*.log")) if path.is_dir() else 0
