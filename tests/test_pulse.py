"""The pulse: the watchdog is fed while all is well and not a beat longer; a start may take as long as it must."""

import math
import socket
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import trio

from router.actors.actor import Context
from router.actors.mailbox import Mailbox
from router.actors.registry import Registry
from router.actors.restart import Intensity
from router.actors.supervisor import Child, GiveUp, Strategy, Supervisor, run_root
from router.clocks import ManualClock
from router.http.audience import Audience
from router.http.ingest import IngestStatistics
from router.http.rates import Rates
from router.pulse import BEAT, Pulse, PulseActor, ailments, recover, status_line
from router.systemd import Notifier


class Ear:
    """A notify socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(path))

    def heard(self) -> list[str]:
        """All that has come since this was last asked."""
        found = []
        while True:
            try:
                found.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[Ear]:
    found = Ear(tmp_path / "notify")
    yield found
    found.close()


class Committer:
    """Takes what comes, until it is told to stand still or to fail."""

    def __init__(self) -> None:
        self.still = False

    async def run(self, context: Context[str]) -> None:
        context.started()
        while True:
            try:
                envelope = await context.inbox.receive()
            except trio.EndOfChannel:
                return
            if envelope.message == "crash":
                raise RuntimeError("as it was told")
            if envelope.message == "stand still":
                with trio.CancelScope(shield=True):
                    await trio.sleep(300)


async def test_the_watchdog_starves_when_the_committer_stands_still(ear: Ear, autojump_clock: trio.abc.Clock) -> None:
    registry = Registry(ManualClock())
    pulse = Pulse()
    mailbox: Mailbox[str] = Mailbox("committer", 8)
    notifier = Notifier({"NOTIFY_SOCKET": str(ear.path), "WATCHDOG_USEC": "3000000"})
    committer = Child("committer", Committer, mailbox=mailbox, stop_budget=1000)
    core = Child("core", lambda: Supervisor("core", Strategy.ONE_FOR_ONE, [committer], registry=registry))
    notifying = Child("notifier", lambda: PulseActor(pulse, registry, notifier, lambda: "all is well"))
    root = Supervisor("root", Strategy.REST_FOR_ONE, [core, notifying], registry=registry, random=Random(1))
    async with trio.open_nursery() as nursery:
        handle = await nursery.start(run_root, root)
        await trio.sleep(10)
        heard = ear.heard()
        assert heard[0] == "WATCHDOG=1\nSTATUS=all is well"
        assert heard[1:] == ["WATCHDOG=1"] * (len(heard) - 1), "the line is sent when it changes"
        assert 8 <= len(heard) <= 11, "three times in each period of three seconds"

        mailbox.tell("stand still")
        await trio.sleep(15)  # ten seconds without progress make a stall
        ear.heard()
        await trio.sleep(60)
        assert "WATCHDOG=1" not in "".join(ear.heard())
        assert pulse.statistics().withheld > 50
        handle.stop()
        nursery.cancel_scope.cancel()


async def test_a_parked_neighbour_does_not_starve_it() -> None:
    registry = Registry(ManualClock())
    mailbox: Mailbox[str] = Mailbox("committer", 8)
    parked: Mailbox[str] = Mailbox("shop", 8)
    none = Intensity(0, 60)
    below = Supervisor(
        "environments",
        Strategy.ONE_FOR_ONE,
        [Child("shop", Committer, mailbox=parked, give_up=GiveUp.PARK)],
        registry=registry,
        intensity=none,
    )
    core = Supervisor(
        "core",
        Strategy.ONE_FOR_ONE,
        [Child("committer", Committer, mailbox=mailbox), Child("environments", lambda: below)],
        registry=registry,
    )
    root = Supervisor("root", Strategy.REST_FOR_ONE, [Child("core", lambda: core)], registry=registry)
    async with trio.open_nursery() as nursery:
        handle = await nursery.start(run_root, root)
        parked.tell("crash")
        await trio.testing.wait_all_tasks_blocked()
        assert registry.find("shop").state.value == "failed"
        assert ailments(registry) == []
        mailbox.tell("crash")
        await trio.testing.wait_all_tasks_blocked(0.001)
        assert ailments(registry) in (["committer is backoff"], [])
        handle.stop()


async def test_lateness_is_measured(autojump_clock: trio.abc.Clock) -> None:
    pulse = Pulse()
    registry = Registry(ManualClock())
    context: Context[None] = Context("notifier")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(PulseActor(pulse, registry, Notifier({}), str).run, context)
        await trio.sleep(BEAT * 8.5)
        context.stopping.set()
    assert pulse.statistics().lag.count == 9
    assert math.isclose(pulse.statistics().worst, 0, abs_tol=1e-6)
    pulse.late(1.5)
    assert pulse.statistics().worst == 1.5


async def test_a_start_that_recovers_asks_for_patience(
    tmp_path: Path, ear: Ear, autojump_clock: trio.abc.Clock
) -> None:
    (tmp_path / "000004.log").write_bytes(bytes(4_000_000))

    async def opening() -> str:
        await trio.sleep(25)
        return "open"

    assert await recover(Notifier({"NOTIFY_SOCKET": str(ear.path)}), tmp_path, opening) == "open"
    line = "EXTEND_TIMEOUT_USEC=32000000\nSTATUS=recovering 4 MB of write-ahead log"
    assert ear.heard() == [line] * 3
    await recover(Notifier({"NOTIFY_SOCKET": str(ear.path)}), tmp_path / "missing", trio.lowlevel.checkpoint)
    assert ear.heard()[0].endswith("recovering 0 MB of write-ahead log")


async def test_a_start_that_fails_fails_as_it_does(tmp_path: Path) -> None:
    async def opening() -> None:
        raise KeyError("locked")

    with pytest.raises(KeyError, match="locked"):
        await recover(Notifier({}), tmp_path, opening)


def test_the_line_for_people_has_the_trouble_first() -> None:
    good = IngestStatistics(5, 12_000, 0, 0, {"malformed": 0}, Rates().statistics())
    assert status_line(2, [], good, Audience()) == "2 environments, 12,000 events stored, 0 streams"
    bad = IngestStatistics(5, 3, 0, 2, {"malformed": 4}, Rates().statistics())
    line = status_line(1, ["the committer is backoff"], bad, Audience())
    assert line.startswith("not ready: the committer is backoff; 1 environments, 3 events stored")
    assert line.endswith("2 events set aside; 4 posts refused")
