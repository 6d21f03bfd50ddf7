"""Syncs now and then, where answers do not wait for it: for flash that wears with every sync."""

from collections.abc import Callable, Iterable
from typing import Final

import trio

from router.actors.actor import Context
from router.pipeline.ledger import Ledger
from router.store.engine import Engine
from router.store.threads import Threads

LIMIT: Final = 60.0  # seconds a sync may take


class Syncer:
    """Actor without a mailbox. interval: seconds between syncs; there is none while nothing was committed."""

    def __init__(
        self, engine: Engine, threads: Threads, ledgers: Callable[[], Iterable[Ledger]], *, interval: float
    ) -> None:
        self._engine = engine
        self._threads = threads
        self._ledgers = ledgers
        self._interval = interval

    async def run(self, context: Context[None]) -> None:
        context.started()
        while not context.stopping.is_set():
            with trio.move_on_after(self._interval):
                await context.stopping.wait()
            ends = [(ledger, ledger.watermark.end) for ledger in self._ledgers()]
            if any(ledger.settled.end < end for ledger, end in ends):
                with context.waiting_on("sync", limit=LIMIT):
                    await self._threads.sync(self._engine.sync)
                for ledger, end in ends:
                    ledger.settle(end)
            context.progress()
