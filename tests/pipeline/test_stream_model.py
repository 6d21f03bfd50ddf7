"""Any filter, any start, any interleaving of appending, trimming, reconnecting and restarting gives exactly the events
of the log that match, in order, and gaps that account for every offset that is missing."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from router.names import EnvironmentName
from router.pipeline.filters import Filter
from router.pipeline.frames import Format
from router.pipeline.subscription import Gap, Subscription
from router.pipeline.tail import Tail
from router.pipeline.watermark import Watermark
from router.records import Entry, Event, Kind, pack_body
from router.store.engine import Batch, Engine
from router.store.log import Log
from router.store.meta import Meta
from tests.pipeline.conftest import NAME


def offset_of(_name: EnvironmentName, cursor: str, _entry: Entry, _event: Event) -> bytes:
    return cursor.rpartition("-")[2].encode() + b" "


STYLE = Format("offsets", offset_of)
MEMBERS = st.none() | st.frozensets(st.sampled_from("abc"), min_size=1)
FILTERS = st.builds(
    Filter,
    kinds=st.none() | st.frozensets(st.sampled_from([Kind.CUSTOM, Kind.SUMMARY]), min_size=1),
    flags=MEMBERS,
    contexts=MEMBERS,
    dialects=MEMBERS,
)
EVENTS = st.tuples(
    st.sampled_from([Kind.CUSTOM, Kind.SUMMARY, Kind.OTHER]), st.sets(st.sampled_from("abc")), st.sampled_from("abc")
)


class Reader:
    """What one reader asked for, and what it got."""

    def __init__(self, wanted: Filter, start: int, subscription: Subscription) -> None:
        self.wanted = wanted
        self.start = start
        self.subscription = subscription
        self.seen: list[int] = []
        self.lost: list[range] = []


class Streaming(RuleBasedStateMachine):
    @initialize(most=st.sampled_from([1, 200, 10_000]))
    def begin(self, most: int) -> None:
        self.folder = Path(
            tempfile.mkdtemp(prefix="router-stream-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
        )
        self.most = most
        self.events: list[tuple[str, Event]] = []
        self.readers: list[Reader] = []
        self.open()

    def open(self) -> None:
        self.engine = Engine.open(self.folder / "db")
        self.meta = Meta(self.engine)
        self.log = Log(NAME, self.engine, self.meta.log(NAME))
        self.watermark = Watermark(self.log.low)
        self.watermark.advance(self.log.head)
        self.tail = Tail(self.log, self.watermark, most=self.most)

    def subscribe(self, offset: int, wanted: Filter) -> Subscription:
        return Subscription(self.log, self.watermark, self.tail, offset, wanted=wanted, style=STYLE)

    @rule(made=st.lists(EVENTS, min_size=1, max_size=6), dialect=st.sampled_from("abc"))
    def append(self, made: list[tuple[Kind, set[str], str]], dialect: str) -> None:
        events = [Event(kind, 1, "n", tuple(flags), (context,), None, b"{}") for kind, flags, context in made]
        batch = Batch()
        self.log.stage(batch, 1, pack_body(dialect, "e", {}, events), len(events))
        self.engine.write(batch)
        self.log.advance(1)
        self.watermark.advance(self.log.head)
        self.events += [(dialect, event) for event in events]

    @rule(data=st.data())
    def trim(self, data: st.DataObject) -> None:
        low = data.draw(st.integers(self.log.low, self.log.head))
        batch = Batch()
        self.log.trim(batch, self.meta, low)
        self.engine.write(batch)
        self.log.trimmed(low)

    @rule(wanted=FILTERS, data=st.data())
    def connect(self, wanted: Filter, data: st.DataObject) -> None:
        start = data.draw(st.integers(0, self.log.head))
        self.readers.append(Reader(wanted, start, self.subscribe(start, wanted)))

    @rule(data=st.data(), steps=st.integers(1, 3))
    def read(self, data: st.DataObject, steps: int) -> None:
        if not self.readers:
            return
        reader = data.draw(st.sampled_from(self.readers))
        for _ in range(steps):
            if reader.subscription.offset < self.watermark.end:
                step = reader.subscription.step()
                if isinstance(step, Gap):
                    assert step.last < self.log.low, "only what is not kept is lost"
                    reader.lost.append(range(step.first, step.last + 1))
                else:
                    reader.seen += map(int, step.data.split())
                    assert step.events == len(step.data.split())
        self.check(reader)

    @rule(data=st.data())
    def reconnect(self, data: st.DataObject) -> None:
        """With its last cursor, which a client has only of messages: behind it, something may come again that was not
        wanted, and is not sent again either."""
        if not self.readers:
            return
        reader = data.draw(st.sampled_from(self.readers))
        told = [reader.start - 1, *reader.seen[-1:], *(gap[-1] for gap in reader.lost[-1:])]
        reader.subscription = self.subscribe(max(told) + 1, reader.wanted)

    @rule()
    def restart(self) -> None:
        self.engine.close()
        self.open()
        for reader in self.readers:
            reader.subscription = self.subscribe(reader.subscription.offset, reader.wanted)

    def check(self, reader: Reader) -> None:
        lost = {offset for gap in reader.lost for offset in gap}
        expected = [
            offset
            for offset in range(reader.start, reader.subscription.offset)
            if offset not in lost and reader.wanted.wants(*self.events[offset])
        ]
        seen = [offset for offset in reader.seen if offset not in lost]
        assert seen == expected
        assert reader.seen == sorted(set(reader.seen)), "once and in order"

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.engine.close()
            shutil.rmtree(self.folder)


TestStreaming = Streaming.TestCase
TestStreaming.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
