"""SIGKILL in the middle of a posting load, again and again: what was acknowledged is there, once and in order.

ROUTER_CRASH_ROUNDS says how often: 20 in the test command, 500 in the long form (docs/reliability.md).
"""

import json
import os
import threading
import urllib.request
from pathlib import Path
from random import Random

import pytest

from router.names import Cursor
from router.sse import Message
from tests.crash.load import Batch, Reader, Sender, key_of, read_all
from tests.process import RouterProcess, router

ROUNDS = int(os.environ.get("ROUTER_CRASH_ROUNDS", "20"))
CONNECTIONS = 10


def head(process: RouterProcess) -> int:
    """Offset after the last durable event."""
    with urllib.request.urlopen(f"{process.url}/health", timeout=10) as answer:
        return int(json.load(answer)["environments"][0]["head"])


def post_until_killed(process: RouterProcess, senders: list[Sender], random: Random) -> None:
    stop = threading.Event()
    threads = [threading.Thread(target=sender.run, args=(stop,)) for sender in senders]
    for thread in threads:
        thread.start()
    stop.wait(0.15 + random.random() * 0.35)
    process.kill()
    stop.set()
    for thread in threads:
        thread.join(30)


def check(batches: list[Batch], log: list[Message]) -> None:
    """The promises of an acknowledged event, from its senders' point of view."""
    offsets = [Cursor.parse(message.id).offset for message in log]
    assert offsets == list(range(len(log))), "offsets are dense"
    keys = [key_of(message) for message in log]
    assert len(set(keys)) == len(keys), "no event is there twice"
    place = {key: offset for offset, key in enumerate(keys)}
    last: dict[int, int] = {}
    for batch in batches:
        if batch.offsets is not None:
            first, end = batch.offsets
            assert tuple(keys[first : end + 1]) == batch.keys, "an acknowledged batch stands where it was said to"
        found = [place[key] for key in batch.keys if key in place]
        assert len(found) in (0, len(batch.keys)), "a batch is there whole or not at all"
        if found:
            assert found == list(range(found[0], found[0] + len(found))), "a batch is contiguous and in order"
            assert found[0] > last.get(batch.connection, -1), "a connection's batches keep their order"
            last[batch.connection] = found[-1]


@pytest.mark.timeout(60 + 5 * ROUNDS)
def test_killed_under_load_it_keeps_what_it_acknowledged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed = int(os.environ.get("ROUTER_CRASH_SEED", "0")) or Random().randrange(1, 2**32)
    random = Random(seed)
    with router(tmp_path / "data") as process:
        senders = [Sender(n, process.port, Random(random.random())) for n in range(CONNECTIONS)]
        reader = Reader(process.port)
        reader.start()
        for _ in range(ROUNDS):
            post_until_killed(process, senders, random)
            process.start()
        end = head(process)
        log = read_all(process.port, end)
        reader.stop(end)
        batches = [batch for sender in senders for batch in sender.batches]
        with capsys.disabled():
            acknowledged = sum(batch.offsets is not None for batch in batches)
            print(
                f"\nkill loop: seed {seed}, {ROUNDS} rounds, {acknowledged} of {len(batches)} posts acknowledged, "
                f"{end} events, reader connected {reader.connections} times"
            )
    assert acknowledged > ROUNDS * 10, "the load was a load"
    assert len(log) == end
    check(batches, log)
    assert reader.messages == log, "the reader that resumed after every crash saw every event once, in order"
    assert reader.connections > ROUNDS // 2
