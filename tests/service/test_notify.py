"""The router as a service: what it says on a real notify socket, and when."""

import contextlib
import json
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.manager import Manager


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with contextlib.closing(Manager(tmp_path, watchdog=1.5)) as found:
        yield found


def post(url: str) -> int:
    body = json.dumps([{"kind": "custom", "key": "k", "creationDate": 1, "contextKeys": {"user": "u"}}]).encode()
    request = urllib.request.Request(f"{url}/bulk", body, {"Authorization": "sdk-demo"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(answer.status)


def test_from_start_to_stop(manager: Manager) -> None:
    manager.start()
    assert manager.heard[0].startswith("EXTEND_TIMEOUT_USEC="), "the recovery asked for patience first"
    assert "STATUS=serving 1 environments" in manager.heard[-1]
    assert post(manager.url) == 202, "ready means that events can be posted"
    assert "WATCHDOG=1" in manager.wait("STATUS=1 environments, 1 events stored")
    manager.signal(signal.SIGTERM)
    assert "STATUS=draining" in manager.wait("STOPPING=1")
    assert manager.process is not None
    assert manager.process.wait(20) == 0


def test_a_router_that_does_not_turn_starves_its_watchdog(manager: Manager) -> None:
    manager.start()
    manager.wait("WATCHDOG=1")
    manager.signal(signal.SIGSTOP)
    manager.listen(0.2)
    assert manager.listen(2.0) == []
    manager.signal(signal.SIGCONT)
    manager.wait("WATCHDOG=1")


def test_a_reload_is_announced_and_ends_with_ready(manager: Manager) -> None:
    manager.start()
    manager.signal(signal.SIGHUP)
    message = manager.wait("RELOADING=1")
    assert "MONOTONIC_USEC=" in message
    manager.wait("READY=1")
