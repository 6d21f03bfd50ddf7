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
