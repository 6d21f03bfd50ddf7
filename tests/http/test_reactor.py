"""Readiness and deadlines of many sockets in one task."""

import socket
import weakref
from collections.abc import AsyncIterator, Iterator
from math import inf

import pytest
import trio

from router.http.reactor import GONE, TURN, Reactor


class Listening:
    """Writes down what it is told."""

    def __init__(self, reactor: Reactor, opened: socket.socket) -> None:
        self.deadline = inf
        self.due = inf
        self.told: list[str] = []
        self.failures: list[Exception] = []
        self.reactor = reactor
        self.socket = opened
        self.heard = trio.Event()
        self.breaks = False

    def _note(self, what: str) -> None:
        self.told.append(what)
        self.heard.set()
        self.heard = trio.Event()
        if self.breaks:
            raise ValueError("broken")

    def ready(self) -> None:
        self._note("ready")

    def again(self) -> None:
        self._note("again")

    def expired(self) -> None:
        self._note("expired")

    def failed(self, error: Exception) -> None:
        self.failures.append(error)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    here.setblocking(False)
    yield here, there
    here.close()
    there.close()


@pytest.fixture
async def reactor() -> AsyncIterator[Reactor]:
    found = Reactor()
    async with trio.open_nursery() as nursery:
        await nursery.start(found.run)
        yield found
        nursery.cancel_scope.cancel()


async def told(handler: Listening) -> list[str]:
    with trio.fail_after(5):
        await handler.heard.wait()
    return handler.told


async def test_what_has_come_is_said_once(reactor: Reactor, pair: tuple[socket.socket, socket.socket]) -> None:
    here, there = pair
    there.send(b"before")
    handler = Listening(reactor, here)
    reactor.add(here.fileno(), handler)
    assert await told(handler) == ["ready"]
    turns = reactor.statistics().turns
    await trio.sleep(0.05)
    assert reactor.statistics().turns == turns  # nothing is read, and yet it does not spin

    there.send(b"more")
    assert await told(handler) == ["ready", "ready"]
    there.close()
    assert await told(handler) == ["ready", "ready", "ready"]


async def test_what_is_removed_hears_nothing(reactor: Reactor, pair: tuple[socket.socket, socket.socket]) -> None:
    here, there = pair
    handler = Listening(reactor, here)
    reactor.add(here.fileno(), handler)
    reactor.remove(here.fileno())
    there.send(b"x")
    await trio.sleep(0.05)
    assert handler.told == []
    assert reactor.statistics().watched == 0


async def test_a_deadline_comes_once_and_can_be_moved_both_ways(
    reactor: Reactor, pair: tuple[socket.socket, socket.socket]
) -> None:
    handler = Listening(reactor, pair[0])
    begun = trio.current_time()
    reactor.at(handler, begun + 30)
    reactor.at(handler, begun + 0.05)
    assert await told(handler) == ["expired"]
    assert trio.current_time() >= begun + 0.05

    reactor.at(handler, trio.current_time() + 0.02)
    reactor.at(handler, trio.current_time() + 0.2)
    await trio.sleep(0.1)
    assert handler.told == ["expired"]
    assert await told(handler) == ["expired", "expired"]
    reactor.at(handler, trio.current_time() + 0.02)
    reactor.at(handler, inf)
    await trio.sleep(0.1)
    assert len(handler.told) == 2


async def test_who_asks_for_another_turn_gets_one_after_the_others(
    reactor: Reactor, pair: tuple[socket.socket, socket.socket]
) -> None:
    handler = Listening(reactor, pair[0])
    reactor.soon(handler)
    assert await told(handler) == ["again"]


async def test_one_that_raises_does_not_end_the_others(
    reactor: Reactor, pair: tuple[socket.socket, socket.socket]
) -> None:
    here, there = pair
    broken, whole = Listening(reactor, here), Listening(reactor, there)
    broken.breaks = True
    reactor.add(here.fileno(), broken)
    reactor.at(whole, trio.current_time() + 0.05)
    there.send(b"x")
    assert await told(whole) == ["expired"]
    assert [str(error) for error in broken.failures] == ["broken"]


async def test_others_get_their_turn_when_many_are_ready(reactor: Reactor) -> None:
    pairs = [socket.socketpair() for _ in range(3 * TURN)]
    handlers = [Listening(reactor, here) for here, _ in pairs]
    for handler, (here, there) in zip(handlers, pairs, strict=True):
        there.send(b"x")
        reactor.add(here.fileno(), handler)
    before = reactor.statistics().turns
    with trio.fail_after(5):
        while not all(handler.told for handler in handlers):
            await trio.lowlevel.checkpoint()
    assert reactor.statistics().turns - before >= 3
    assert all(handler.told == ["ready"] for handler in handlers)
    for here, there in pairs:
        reactor.remove(here.fileno())
        here.close()
        there.close()


async def test_a_deadline_that_is_moved_often_takes_one_place(
    reactor: Reactor, pair: tuple[socket.socket, socket.socket]
) -> None:
    """As a connection that is kept alive moves it: a short one for each request, a long one after it."""
    handler = Listening(reactor, pair[0])
    for _ in range(20):
        reactor.at(handler, trio.current_time() + 0.2)
        reactor.at(handler, trio.current_time() + 0.01)
        reactor.at(handler, trio.current_time() + 0.2)
        await trio.sleep(0.03)
    await trio.sleep(0.25)
    waiting = reactor.statistics().waiting
    assert handler.told == ["expired"]
    assert waiting == 0


async def test_those_that_are_gone_are_not_kept_until_their_deadlines(reactor: Reactor) -> None:
    gone = []
    for number in range(10 * GONE):
        here, there = socket.socketpair()
        handler = Listening(reactor, here)
        reactor.add(here.fileno(), handler)
        reactor.at(handler, trio.current_time() + 75 - number % 3)
        reactor.at(handler, inf)
        reactor.remove(here.fileno())
        gone.append(weakref.ref(handler))
        here.close()
        there.close()
    del handler
    assert sum(found() is not None for found in gone) <= GONE + 1
    assert reactor.statistics().waiting <= GONE + 1


async def test_one_that_is_called_again_after_it_was_forgotten_is_found(
    reactor: Reactor, pair: tuple[socket.socket, socket.socket]
) -> None:
    """It waits for nothing while a task is at work for it, and for something again."""
    kept = Listening(reactor, pair[0])
    reactor.at(kept, trio.current_time() + 75)
    reactor.at(kept, inf)
    for _ in range(2 * GONE):
        here, there = socket.socketpair()
        reactor.add(here.fileno(), Listening(reactor, here))
        reactor.remove(here.fileno())
        here.close()
        there.close()
    assert reactor.statistics().waiting == 0
    reactor.at(kept, trio.current_time() + 0.05)
    assert await told(kept) == ["expired"]
