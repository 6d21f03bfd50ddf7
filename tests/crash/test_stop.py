"""SIGTERM under load: everything acknowledged is kept and the exit is clean."""

import signal
import threading
import time
from pathlib import Path
from random import Random

from tests.crash.load import Reader, Sender, read_all
from tests.crash.test_kill import check, head
from tests.process import RouterProcess, router


def stop_under_load(process: RouterProcess, senders: list[Sender], *, signals: int = 1) -> int:
    """Send SIGTERM while posts arrive; returns the exit status."""
    stop = threading.Event()
    threads = [threading.Thread(target=sender.run, args=(stop,)) for sender in senders]
    for thread in threads:
        thread.start()
    stop.wait(0.5)
    for _ in range(signals - 1):
        process.send(signal.SIGTERM)
        time.sleep(0.05)
    status = process.stop() if process.running else process.wait(10)
    stop.set()
    for thread in threads:
        thread.join(30)
    return status


def test_an_orderly_stop_under_load_loses_nothing(tmp_path: Path) -> None:
    with router(tmp_path / "data") as process:
        senders = [Sender(n, process.port, Random(n)) for n in range(8)]
        reader = Reader(process.port)
        reader.start()
        begun = time.monotonic()
        assert stop_under_load(process, senders) == 0
        assert time.monotonic() - begun < 10
        process.start()
        end = head(process)
        log = read_all(process.port, end)
        reader.stop(end)
    batches = [batch for sender in senders for batch in sender.batches]
    assert sum(batch.offsets is not None for batch in batches) > 20
    check(batches, log)
    assert reader.messages == log


def test_a_second_signal_skips_the_drain_and_still_loses_nothing(tmp_path: Path) -> None:
    with router(tmp_path / "data") as process:
        senders = [Sender(n, process.port, Random(n)) for n in range(8)]
        assert stop_under_load(process, senders, signals=2) == 0
        process.start()
        log = read_all(process.port, head(process))
    check([batch for sender in senders for batch in sender.batches], log)
