"""A forwarder against a target that a test plays: nothing left out, the cursor right, answers respected."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

import trio
from trio.testing import MockClock

from router.actors.actor import Context
from router.actors.restart import Backoff
from router.actors.supervisor import Child
from router.names import EnvironmentName
from router.pipeline.committer import Fragment
from router.pipeline.delivery import Answer
from router.pipeline.forwarder import Forwarder
from router.pipeline.forwarding import Filter, Forwarding, State
from router.pipeline.ledger import Append, Relayed
from router.pipeline.outgoing import Outgoing, Post
from router.pipeline.outgoing_http import ToHttp
from router.pipeline.pacing import Pace, Window
from router.pipeline.transport import Send, Unreached
from router.store.cursors import Cursors
from router.store.engine import Batch
from router.store.quarantine import Item
from tests.pipeline.conftest import Bench, body

SHOP = EnvironmentName("shop", "production")
OK = Answer(202, {})


async def until(condition: Callable[[], bool], *, timeout: float = 20) -> None:
    with trio.fail_after(timeout):
        while not condition():
            await trio.sleep(0.005)


class Target:
    """Takes posts; `script` holds what it does instead, one step a request."""

    def __init__(self) -> None:
        self.script: list[Answer | Exception | Callable[[Post], Answer]] = []
        self.taken: list[str] = []
        self.posts: list[Post] = []
        self.times: list[float] = []
        self.set_aside: list[Item] = []

    @asynccontextmanager
    async def connect(self, _most: int) -> AsyncIterator[Send]:
        yield self.send

    async def send(self, post: Post) -> Answer:
        self.posts.append(post)
        self.times.append(trio.current_time())
        await trio.sleep(0.01)
        step = self.script.pop(0) if self.script else OK
        if isinstance(step, Exception):
            raise step
        answer = step if isinstance(step, Answer) else step(post)
        if answer.status < 300:
            self.taken += [event["name"] for event in json.loads(post.body)]
        return answer

    async def keep(self, item: Item) -> None:
        self.set_aside.append(item)


class Play:
    """A forwarder over a bench's log and a target."""

    def __init__(
        self,
        bench: Bench,
        *,
        chosen: Filter = Filter(),  # noqa: B008 - frozen
        pace: Pace | None = None,
        outgoing: Outgoing | None = None,
    ) -> None:
        self.bench = bench
        self.target = Target()
        self.forwarding = Forwarding(
            "play",
            "http",
            outgoing or ToHttp("https://sink.example", None, SHOP),
            chosen,
            pace or Pace(),
            bench.engine,
            bench.log,
            bench.ledger.settled,
            Cursors(bench.engine, 1, "forward"),
        )

    @property
    def child(self) -> Child:
        return Child(
            "forwarder",
            lambda: Forwarder(
                self.forwarding,
                self.target.connect,
                self.target.keep,
                self.bench.clock,
                Random(1),
                delays=Backoff(first=0.01, cap=0.05),
                probe=0.2,
            ),
        )

    async def append(self, count: int) -> None:
        await self.bench.mailbox.ask(self.bench.fragment(count), timeout=5)

    async def until_idle(self) -> None:
        await until(lambda: not self.forwarding.statistics().lag and self.forwarding.state is State.IDLE)


async def test_everything_in_order_and_the_cursor_after_it(bench: Bench) -> None:
    play = Play(bench)
    async with bench.running(play.child):
        for _ in range(5):
            await play.append(3)
        await play.until_idle()
    assert play.target.taken == ["n0", "n1", "n2"] * 5
    stands = play.forwarding.statistics()
    assert (stands.offset, stands.lag, stands.delivered, stands.state) == (15, 0, 15, State.IDLE)
    row = Cursors(bench.engine, 1, "forward").read("play")
    assert row is not None
    assert (row.epoch, row.offset) == (bench.log.epoch, 15)


async def test_it_goes_on_where_it_was(bench: Bench) -> None:
    first, second = Play(bench), Play(bench)
    async with bench.running(first.child):
        await first.append(3)
        await first.until_idle()
    async with bench.running(second.child):
        await second.append(1)
        await second.until_idle()
    assert second.target.taken == ["n0"]


async def test_what_fails_comes_again(bench: Bench) -> None:
    play = Play(bench)
    play.target.script = [Unreached("refused"), Answer(503, {}), Answer(429, {"retry-after": "0"}), Unreached("reset")]
    async with bench.running(play.child):
        await play.append(2)
        await play.until_idle()
    assert play.target.taken == ["n0", "n1"]
    assert len(set(play.target.posts)) == 1, "a repeat is the same request"
    assert play.forwarding.statistics().retries == 4


async def test_a_crash_of_its_own_costs_nothing(bench: Bench) -> None:
    play = Play(bench)
    play.target.script = [ValueError("a bug"), OK, ValueError("another")]
    async with bench.running(play.child):
        await play.append(2)
        await play.until_idle()
        await play.append(1)
        await play.until_idle()
        assert bench.registry.find("forwarder").restarts == 2
    assert play.target.taken == ["n0", "n1", "n0"]


async def test_it_waits_as_long_as_it_is_told(bench: Bench, autojump_clock: MockClock) -> None:
    play = Play(bench)
    play.target.script = [Answer(503, {"retry-after": "100"})]
    forwarder = play.child.factory()
    fill(bench, 1)
    async with trio.open_nursery() as nursery:
        context: Context[None] = Context("forwarder")
        nursery.start_soon(forwarder.run, context)
        await until(lambda: len(play.target.times) > 1, timeout=200)
        context.stopping.set()
    assert 100 <= play.target.times[1] - play.target.times[0] < 102


async def test_a_parked_forward_looks_again_and_goes_on(bench: Bench) -> None:
    play = Play(bench)
    play.target.script = [Answer(401, {}), Answer(401, {})]
    seen: list[tuple[State, str]] = []
    async with bench.running(play.child):
        await play.append(1)
        await until(lambda: (bench.registry.find("forwarder").waiting_on or "").startswith("parked"))
        seen.append((play.forwarding.state, play.forwarding.reason))
        zone = bench.registry.find("forwarder").waiting_on
        await play.until_idle()
    assert seen[0][1].startswith("401: it does not know the key")
    assert zone == f"parked: {seen[0][1]}"
    assert play.target.taken == ["n0"]


async def test_what_is_refused_one_by_one_is_set_aside(bench: Bench) -> None:
    play = Play(bench)

    def picky(post: Post) -> Answer:
        return Answer(400, {}) if b'"n1"' in post.body else OK

    play.target.script = [picky] * 20
    async with bench.running(play.child):
        await play.append(4)
        await play.until_idle()
    assert sorted(play.target.taken) == ["n0", "n2", "n3"]
    (item,) = play.target.set_aside
    assert item.raw == b'{"n":1}'
    assert "play refuses it: 400" in item.reason
    assert play.forwarding.statistics().set_aside == 1


async def test_a_target_that_refuses_everything_is_at_fault_itself(bench: Bench) -> None:
    play = Play(bench)
    play.target.script = [Answer(400, {})] * 200
    async with bench.running(play.child):
        await play.append(40)
        await until(lambda: play.forwarding.state is State.PARKED)
        assert "refuses everything" in play.forwarding.reason
        assert len(play.target.set_aside) < 10
        play.target.script = []
        await play.until_idle()
    assert len(play.target.taken) + len(play.target.set_aside) == 40


async def test_filters(bench: Bench) -> None:
    play = Play(bench, chosen=Filter(dialects=frozenset({"statsig"})))
    async with bench.running(play.child):
        await play.append(3)
        await play.until_idle()
    assert not play.target.posts
    stands = play.forwarding.statistics()
    assert (stands.skipped, stands.delivered, stands.offset) == (3, 0, 3)


def fill(bench: Bench, *sizes: int) -> None:
    batch = Batch()
    for size in sizes:
        bench.log.stage(batch, 1, body(size), size)
    bench.engine.write(batch)
    bench.log.advance(1)
    bench.ledger.publish()


async def test_a_new_forward_may_begin_with_what_comes_then(bench: Bench) -> None:
    fill(bench, 3)
    play = Play(bench, chosen=Filter(latest=True))
    async with bench.running(play.child):
        await play.append(1)
        await play.until_idle()
    assert play.target.taken == ["n0"]


async def test_newest_first_gets_to_everything(bench: Bench) -> None:
    fill(bench, *[1] * 600)
    play = Play(bench, chosen=Filter(newest_first=True))
    async with bench.running(play.child):
        await play.until_idle()
    ids = [int(event["id"].split("-")[1]) for post in play.target.posts for event in json.loads(post.body)]
    assert sorted(ids) == list(range(600))
    assert max(ids[:256]) == 599, "the newest are among the first"
    assert ids[-1] < 256, "and the oldest among the last"
    assert play.forwarding.statistics().offset == 600


async def test_what_retention_removed_is_counted_as_lost(bench: Bench) -> None:
    fill(bench, 5, 5)
    before = Play(bench)
    before.forwarding.restore()
    before.forwarding.save(1)
    bench.log.row = bench.log.row.__class__(bench.log.row.number, bench.log.row.epoch, 5)
    play = Play(bench)
    async with bench.running(play.child):
        await play.until_idle()
    assert play.forwarding.statistics().lost == 5
    assert play.target.taken == [f"n{n}" for n in range(5)]


async def test_caps_and_windows_hold_it_back(bench: Bench, autojump_clock: MockClock) -> None:
    fill(bench, 1)
    second = bench.clock.now() // 1000 % 86_400
    play = Play(bench, pace=Pace(windows=[Window(second + 600, second + 1200)]))
    forwarder = play.child.factory()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        context: Context[None] = Context("forwarder")
        nursery.start_soon(forwarder.run, context)
        await trio.sleep(599)
        assert play.forwarding.state is State.CLOSED
        bench.clock.advance(600_000)
        await trio.sleep(30)
        context.stopping.set()
    assert play.target.times[0] - began >= 599


async def test_a_stop_waits_for_what_is_in_flight(bench: Bench) -> None:
    play = Play(bench)
    async with bench.running(play.child) as root:
        await play.append(2)
        await until(lambda: bool(play.target.posts))
        root.stop()
    assert play.target.taken == ["n0", "n1"]
    row = Cursors(bench.engine, 1, "forward").read("play")
    assert row is not None
    assert row.offset == 2


async def test_relayed_events_are_stored_once_whatever_the_order(bench: Bench) -> None:
    """The other end of a forward to a router, in the commit."""

    def relayed(first: int, end: int) -> Fragment:
        offsets = tuple(range(first, end))
        body = bench.fragment(len(offsets)).append.body
        parts = Relayed(((body, len(offsets)),), "edge#abcdefgh", "abcdefgh", offsets, (first, end))
        return Fragment(bench.ledger, Append(b"", len(offsets), relayed=parts))

    async with bench.running():
        asked = [(0, 4), (2, 6), (0, 4), (10, 12), (6, 12), (0, 12)]
        answers = [await bench.mailbox.ask(relayed(*span), timeout=5) for span in asked]
    assert [answer.duplicates for answer in answers] == [0, 2, 4, 0, 2, 12]
    assert [answer.duplicate for answer in answers] == [False, False, True, False, False, True]
    assert bench.log.head == 12
