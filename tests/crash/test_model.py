"""The log against a plain list: append, sync, read, trim, crash (what was not synced is lost), reopen, in any order."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from router.records import Event, pack_body
from router.store.engine import Batch, Engine
from router.store.log import Log
from router.store.meta import Meta
from tests.store.conftest import NAME


class Crashing(RuleBasedStateMachine):
    """`written` and `synced` are lists of event names; a crash makes the first as long as the second, or anything
    between them where a memtable was flushed meanwhile."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(
            tempfile.mkdtemp(prefix="router-model-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
        )
        self.lives = 0
        self.written: list[str] = []
        self.synced = 0
        self.low = 0
        self.low_synced = 0
        self.open()
        self.sync()

    @property
    def path(self) -> Path:
        return self.folder / str(self.lives)

    def open(self) -> None:
        self.engine = Engine.open(self.path)
        self.meta = Meta(self.engine)
        self.log = Log(NAME, self.engine, self.meta.log(NAME))

    @rule(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=5))
    def append(self, sizes: list[int]) -> None:
        batch = Batch()
        for size in sizes:
            names = [str(len(self.written) + n) for n in range(size)]
            events = [Event("custom", 1, name, (), (), None, b"{}") for name in names]
            self.log.stage(batch, 1, pack_body("d", "e", {}, events), size)
            self.written += names
        self.engine.write(batch)
        self.log.advance(1)

    @rule()
    def fail_to_write(self) -> None:
        self.log.stage(Batch(), 1, b"", 3)
        self.log.retract()

    @rule()
    def sync(self) -> None:
        self.engine.sync()
        self.synced = len(self.written)
        self.low_synced = self.low
        self.durable = {path.name: path.stat().st_size for path in self.path.glob("*.log")}

    @rule()
    def flush(self) -> None:
        """A memtable goes to a table file and is durable with that; the log of the others is kept."""
        self.sync()
        self.engine.family(self.log.row.family).map.flush(True)
        self.sync()

    @rule(data=st.data())
    def trim(self, data: st.DataObject) -> None:
        low = data.draw(st.integers(self.low, len(self.written)))
        batch = Batch()
        self.log.trim(batch, self.meta, low)
        self.engine.write(batch)
        self.log.trimmed(low)
        assert self.low <= self.log.low <= low
        self.low = self.log.low

    @rule()
    def crash(self) -> None:
        """What the write-ahead log holds beyond the last sync is lost."""
        before = self.path
        self.lives += 1
        shutil.copytree(before, self.path)
        self.engine.close()
        shutil.rmtree(before)
        (self.path / "LOCK").unlink(missing_ok=True)
        for log in self.path.glob("*.log"):
            with log.open("r+b") as file:
                file.truncate(self.durable.get(log.name, 0))
        self.open()
        assert self.log.head == self.synced, "all that was synced and nothing else"
        del self.written[self.synced :]
        assert self.log.low == self.low_synced
        self.low = self.low_synced
        self.sync()

    @rule()
    def reopen(self) -> None:
        self.engine.close()
        self.open()
        self.sync()

    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        offset = data.draw(st.integers(self.low, len(self.written)))
        found = {
            place: event.name
            for stored in self.log.read(offset, len(self.written))
            for place, event in enumerate(stored.entry.events, stored.first)
            if place >= offset
        }
        assert found == dict(enumerate(self.written[offset:], offset))

    @invariant()
    def the_log_is_as_long_as_the_list(self) -> None:
        if hasattr(self, "log"):
            assert (self.log.low, self.log.head) == (self.low, len(self.written))

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.engine.close()
            shutil.rmtree(self.folder)


TestCrashing = Crashing.TestCase
TestCrashing.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
