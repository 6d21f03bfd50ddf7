"""Actors run under a root supervisor over a real store in a fresh directory."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
import trio

from router.actors.mailbox import Mailbox
from router.actors.registry import Registry
from router.actors.supervisor import Child, Root, Strategy, Supervisor, run_root
from router.clocks import ManualClock, Stamps
from router.names import EnvironmentName
from router.pipeline.committer import Committer, Fragment
from router.pipeline.ledger import Append, Ledger
from router.pipeline.space import Space
from router.pipeline.watermark import Watermark
from router.records import Event, pack_body
from router.store.dedup import DedupWindow
from router.store.engine import Engine
from router.store.log import Log
from router.store.meta import Meta
from router.store.quarantine import Quarantine
from router.store.sources import Sources
from router.store.threads import Threads

NAME = EnvironmentName("default", "production")


def body(count: int, *, name: str = "n") -> bytes:
    """An entry body of `count` events."""
    events = [Event("custom", 1, f"{name}{n}", (), (), None, b'{"n":%d}' % n) for n in range(count)]
    return pack_body("launchdarkly", "bulk", {}, events)


class Bench:
    """An engine with one log and a committer's mailbox; `running` runs any actors over them."""

    def __init__(self, path: Path, make: Callable[[Path], Engine] = Engine.open) -> None:
        self.engine = make(path)
        self.clock = ManualClock()
        self.registry = Registry(self.clock)
        row = Meta(self.engine).log(NAME)
        window = DedupWindow(self.engine, row.number, seconds=60, now=self.clock.now())
        self.log = Log(NAME, self.engine, row)
        self.watermark = Watermark(self.log.low)
        self.ledger = Ledger(
            self.log, window, Quarantine(self.engine, row.number), self.watermark, Sources(self.engine, row.number)
        )
        self.committed: Callable[[], list[Ledger]] = lambda: [self.ledger]
        self.mailbox: Mailbox[Fragment] = Mailbox("committer", 64)
        self.fsync = True
        self.space = Space(0)
        self.committers: list[Committer] = []

    def committer(self) -> Committer:
        made = Committer(
            self.engine, Threads(), Stamps(self.clock), lambda: self.committed(), self.space, fsync=self.fsync
        )
        self.committers.append(made)
        return made

    def fragment(self, count: int) -> Fragment:
        return Fragment(self.ledger, Append(body(count), count))

    @asynccontextmanager
    async def running(self, *children: Child) -> AsyncIterator[Root]:
        """A root over the committer and `children`; stopped in order at the end."""
        committer = Child("committer", self.committer, mailbox=self.mailbox)
        root = Supervisor(
            "root", Strategy.ONE_FOR_ONE, [committer, *children], registry=self.registry, random=Random(1)
        )
        async with trio.open_nursery() as nursery:
            handle = await nursery.start(run_root, root)
            try:
                yield handle
            finally:
                handle.stop()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "db")
    yield made
    made.engine.close()
