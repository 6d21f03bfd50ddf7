"""Without fsync, what goes to other machines waits for a sync of its own time."""

import trio

from router.actors.supervisor import Child
from router.pipeline.ledger import Ledger
from router.pipeline.syncer import Syncer
from router.pipeline.watermark import Watermark
from router.store.threads import Threads
from tests.pipeline.conftest import Bench


async def test_what_is_committed_is_settled_after_the_interval(bench: Bench) -> None:
    ledger = bench.ledger
    bench.ledger = Ledger(ledger.log, None, ledger.quarantine, ledger.watermark, ledger.sources, Watermark(0))
    bench.fsync = False
    syncer = Child("syncer", lambda: Syncer(bench.engine, Threads(), lambda: [bench.ledger], interval=0.3))
    async with bench.running(syncer):
        syncs = bench.engine.statistics().syncs
        await bench.mailbox.ask(bench.fragment(3), timeout=5)
        assert (bench.ledger.watermark.end, bench.ledger.settled.end) == (3, 0)
        assert bench.engine.statistics().syncs == syncs, "the answer did not wait for the disk"
        with trio.fail_after(5):
            assert await bench.ledger.settled.wait_beyond(2)
        assert bench.engine.statistics().syncs == syncs + 1
        await trio.sleep(0.7)
        assert bench.engine.statistics().syncs == syncs + 1, "there is nothing new to sync"


async def test_a_stop_syncs_what_is_left(bench: Bench) -> None:
    ledger = bench.ledger
    bench.ledger = Ledger(ledger.log, None, ledger.quarantine, ledger.watermark, ledger.sources, Watermark(0))
    bench.fsync = False
    syncer = Child("syncer", lambda: Syncer(bench.engine, Threads(), lambda: [bench.ledger], interval=60))
    async with bench.running(syncer):
        await bench.mailbox.ask(bench.fragment(3), timeout=5)
    assert bench.ledger.settled.end == 3
