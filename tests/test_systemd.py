"""The service manager hears what it waits for."""

import socket
from pathlib import Path

import pytest

from router.systemd import Notifier


@pytest.mark.parametrize("abstract", [False, True])
def test_states_arrive_as_single_datagrams(tmp_path: Path, abstract: bool) -> None:
    name = f"@router-test-{tmp_path.name}-{id(tmp_path)}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name[1:] if abstract else name)
        notifier = Notifier({"NOTIFY_SOCKET": name})
        notifier.ready("serving 2 environments")
        notifier.stopping()

        assert listener.recv(1000) == b"READY=1\nSTATUS=serving 2 environments"
        assert listener.recv(1000) == b"STOPPING=1\nSTATUS=draining"


def test_a_reload_says_when_it_began(tmp_path: Path) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name)
        Notifier({"NOTIFY_SOCKET": name}).reloading()
        state, moment = listener.recv(1000).decode().split("\n")

    assert state == "RELOADING=1"
    assert moment.removeprefix("MONOTONIC_USEC=").isdigit()


def test_without_a_service_manager_it_is_silent() -> None:
    Notifier({}).ready("nobody listens")


@pytest.mark.parametrize(
    ("environ", "interval", "fed"),
    [({}, 5.0, False), ({"WATCHDOG_USEC": "30000000"}, 5.0, True), ({"WATCHDOG_USEC": "3000000"}, 1.0, True)],
)
def test_the_watchdog_is_fed_three_times_in_its_period(
    tmp_path: Path, environ: dict[str, str], interval: float, fed: bool
) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as listener:
        listener.bind(name)
        notifier = Notifier(environ | {"NOTIFY_SOCKET": name})
        assert notifier.interval == interval
        notifier.beat(alive=True, status="well")
        assert listener.recv(1000) == (b"WATCHDOG=1\nSTATUS=well" if fed else b"STATUS=well")
        notifier.beat(alive=False, status="the committer is stalled")
        assert listener.recv(1000) == b"STATUS=the committer is stalled"
        notifier.beat(alive=False, status=None)
        with pytest.raises(BlockingIOError):
            listener.recv(1000)


def test_a_service_manager_that_does_not_listen_holds_nobody_up(tmp_path: Path) -> None:
    """Its socket takes some ten messages that are not read; one more would block."""
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name)
        notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1"})
        for _ in range(2000):
            notifier.beat(alive=True, status=None)
    notifier.beat(alive=True, status="and it is gone")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "missing")}).ready("nobody there")


def test_patience_is_asked_for_in_microseconds(tmp_path: Path) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name)
        Notifier({"NOTIFY_SOCKET": name}).recovering(1.5, "recovering")
        assert listener.recv(1000) == b"EXTEND_TIMEOUT_USEC=1500000\nSTATUS=recovering"
