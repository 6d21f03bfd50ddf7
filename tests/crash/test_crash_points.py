"""Death, an I/O error or a full disk at the Nth call that makes something durable, for one N after another until a run
ends without meeting it: what was acknowledged is there afterwards, once and in order.

ROUTER_CRASH_POINTS=all tries every N; the test command tries N = 1, 2, 4, 8, … (docs/reliability.md).
"""

import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.store import fsck
from tests.crash.inject import fired, require_strace, tamper
from tests.crash.load import key_of, read_all
from tests.process import RouterProcess

POSTS = 12
ALL = os.environ.get("ROUTER_CRASH_POINTS") == "all"
CALLS = ("fdatasync", "write", "rename")
RULES = [f"{call}:{fault}" for call in CALLS for fault in ("signal=KILL", "error=EIO", "error=ENOSPC")]


def points() -> Iterator[int]:
    """1, 2, 3, …, or 1, 2, 4, 8, …"""
    place = 1
    while True:
        yield place
        place = place + 1 if ALL else place * 2


def run_once(process: RouterProcess, number: int) -> list[str]:
    """Start, post until it goes or all is posted, stop; the names of what was acknowledged."""
    kept: list[str] = []
    try:
        process.start()
    except AssertionError:
        return kept
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=10)
    try:
        for post in range(POSTS):
            name = f"{number}/{post}"
            event = {"kind": "custom", "key": name, "creationDate": 1, "contextKeys": {"user": "u"}}
            connection.request("POST", "/bulk", json.dumps([event]), {"Authorization": "sdk-demo"})
            answer = connection.getresponse()
            answer.read()
            if answer.status == 202:
                kept.append(name)
    except (OSError, http.client.HTTPException):
        pass  # it is gone, or hung up on us: what it said before counts
    finally:
        connection.close()
    if process.running:
        process.stop()
    else:
        process.wait(20)
    return kept


def check(data: Path, kept: list[str]) -> None:
    """Start without tampering: everything acknowledged is there once, in order, and nothing is damaged."""
    process = RouterProcess(data)
    process.start()
    try:
        connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=10)
        connection.request("GET", "/health")
        head = int(json.loads(connection.getresponse().read())["environments"][0]["head"])
        connection.close()
        found = [key_of(message) for message in read_all(process.port, head)]
    finally:
        process.kill()
    assert len(found) == head
    assert len(set(found)) == len(found), "nothing is there twice"
    assert [name for name in found if name in set(kept)] == kept, "what was acknowledged is there, in order"
    assert not [result for result in fsck.check(data) if isinstance(result, fsck.Finding)]


@pytest.mark.timeout(1800 if ALL else 240)
@pytest.mark.parametrize("rule", RULES)
def test_what_was_acknowledged_survives_a_fault_at_any_call(
    rule: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    require_strace()
    kept: list[str] = []
    for number in points():
        process = RouterProcess(tmp_path / "data")
        trace = tamper(process, f"{rule}:when={number}")
        kept += run_once(process, number)
        if not fired(process, trace):
            break
        check(tmp_path / "data", kept)
    check(tmp_path / "data", kept)
    assert len(kept) >= POSTS
    with capsys.disabled():
        print(f"\ncrash points: {rule}, none left at call {number}, {len(kept)} events acknowledged")
