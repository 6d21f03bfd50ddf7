"""A connection in the fast lane: a state machine that the reactor drives, and no task.

Bytes go to the `Reader`, requests to the `Lane`, answers straight into the socket's buffer. What has to wait for longer
than the disk (a body that is decoded in a thread, an answer that the peer does not take) is a task for as long as that
takes.
"""

import os
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from math import inf
from typing import Final

import trio

from router.actors.question import Question
from router.dialects.dialect import Reply
from router.errors import Busy
from router.http.guest import Guest
from router.http.ingest import Large, Pending
from router.http.lane import MOST_CHUNKED, PATIENCE, READ, Lane, Opened, Target
from router.http.reader import Reader
from router.http.sending import Sent, send
from router.http.subscriber import Subscriber

IN_A_ROW: Final = 16  # requests that one connection gets answered before the others have a turn


class State(Enum):
    """What a connection does: waits for its peer, for the router, or is no longer here."""

    OPEN = auto()
    BUSY = auto()
    GONE = auto()


@dataclass(frozen=True, slots=True)
class Times:
    """Of a connection, in seconds: idle, for a head from its first byte, for its peer to take anything. max_head: bytes
    of a head."""

    keep_alive: float
    head: float
    write: float
    max_head: int


class Channel:
    """Begins with a connection that has just been accepted."""

    __slots__ = (
        "_begun", "_close", "_descriptor", "_grace", "_guest", "_held", "_idle_until", "_lane", "_pending", "_question",
        "_reactor", "_readable", "_reader", "_state", "_target", "_times", "deadline", "due",
    )  # fmt: skip

    def __init__(self, lane: Lane, guest: Guest, times: Times) -> None:
        self._lane = lane
        self._guest = guest
        self._times = times
        self._reactor = guest.house.reactor
        self._descriptor = guest.socket.fileno()
        self._reader = Reader()
        self._state = State.OPEN
        self._readable = False
        self._begun = inf  # when waiting for the rest of a head, or of a body, began
        self._grace: float | None = None
        self._idle_until = trio.current_time() + times.keep_alive
        self._target: Target | None = None
        self._pending: Pending | None = None
        self._question: Question | None = None
        self._held = 0
        self._close = False
        self.deadline = inf
        self.due = inf
        self._reactor.add(self._descriptor, self)
        self._reactor.at(self, self._idle_until)

    def ready(self) -> None:
        self._readable = True
        if self._state is State.OPEN:
            self._go()

    def again(self) -> None:
        if self._state is State.OPEN:
            self._go()

    def expired(self) -> None:
        """Too long idle, too slow with a head: closed. Too slow with a body: somebody else's, who is more patient. Too
        long without an answer from the disk: the sender is told to come again."""
        if self._state is State.OPEN:
            if self._target is not None:
                self._elsewhere()
            else:
                self._end()
        elif self._question is not None:
            question, self._question = self._question, None
            question.abandon()
            if self._pending is not None:
                self._answer(self._lane.ingest.failed(self._pending, TimeoutError("not durable in time")))
                self._next()

    def failed(self, error: Exception) -> None:
        if self._state is not State.GONE:
            self._guest.house.fail(self._guest, error)

    def evict(self) -> bool:
        if self._state is not State.OPEN or self._target is not None:
            return False
        self._end()
        return True

    def expire(self, grace: float) -> None:
        self._grace = grace
        if self._state is State.OPEN:
            self._idle_until = trio.current_time() + grace
            self._wait()

    def _go(self) -> None:
        """Serve what has come, until more has to come or somebody else has the turn."""
        served = 0
        while self._state is State.OPEN:
            if served >= IN_A_ROW:
                self._reactor.soon(self)
                return
            if self._reader.begun:
                if self._request():
                    served += 1
                    continue
                if self._moved_on:
                    return
            if not self._readable:
                self._wait()
                return
            if not self._receive():
                return

    @property
    def _moved_on(self) -> bool:
        return self._state is not State.OPEN

    def _receive(self) -> bool:
        """Read what is there; whether there was something."""
        try:
            data = os.read(self._descriptor, READ)
        except BlockingIOError:
            self._readable = False
            self._wait()
            return False
        except OSError:
            self._end()
            return False
        if not data:
            # Half a request and no more: the plain route knows what to say.
            if self._reader.begun:
                self._elsewhere()
            else:
                self._end()
            return False
        if len(data) < READ:
            self._readable = False
        self._reader.feed(data)
        return True

    def _request(self) -> bool:
        """Serve one request; False where it is not all there, not answered yet, or not for here."""
        reader, lane = self._reader, self._lane
        target = self._target
        if target is None:
            head = reader.head(self._times.max_head)
            if head is True:
                return False
            found = None if head is False else lane.find(head)
            if found is None:
                self._elsewhere()
                return False
            if isinstance(found, Opened):
                self._stream(found)
                return False
            if not self._hold(found.head.length or 0):
                self._elsewhere()
                return False
            self._target = target = found
            self._begun = inf
        coded = target.head.length is None
        raw = reader.raw() if coded else b""
        body = reader.body(target.head, MOST_CHUNKED if coded else self._held)
        if body is True:
            return False
        if body is False:
            self._elsewhere()
            return False
        if coded and not self._hold(len(body)):
            self._elsewhere(raw)
            return False
        self._target = None
        self._begun = inf
        self._state = State.BUSY
        self._close = target.head.close
        return self._follow(lane.take(target, body))

    def _hold(self, size: int) -> bool:
        """Take room for a body; whether there was some."""
        guard = self._lane.guard
        if size > guard.limits.max_body or not guard.budget.try_take(size):
            return False
        self._held = size
        return True

    def _follow(self, step: Reply | Large | Pending) -> bool:
        """Do what is next for a request; whether it is answered."""
        if isinstance(step, Reply):
            self._answer(step)
            return True
        if isinstance(step, Large):
            self._reactor.at(self, inf)
            self._guest.house.begin(self._guest, partial(self._decode, step))
            return False
        deadline = step.post.begun + self._lane.services.ask_timeout
        ingest = self._lane.ingest
        try:
            question = step.environment.mailbox.ask_soon(step.append, deadline, self._settled)
        except Busy as error:
            self._answer(ingest.failed(step, error))
            return True
        if question.error is not None:
            self._answer(ingest.failed(step, question.error))
            return True
        self._pending = step
        self._question = question
        self._reactor.at(self, deadline)
        return False

    async def _decode(self, large: Large) -> None:
        step = await self._lane.ingest.decode(large)
        if self._state is State.BUSY:
            if self._follow(step):
                self._next()
        elif isinstance(step, Pending):
            step.entry.drop()

    def _settled(self) -> None:
        """The post is durable, or never will be. Called by whoever settles it, so it must not raise."""
        question, self._question = self._question, None
        if question is None or self._pending is None:
            return
        ingest = self._lane.ingest
        try:
            if question.error is not None:
                self._answer(ingest.failed(self._pending, question.error))
            else:
                self._answer(ingest.stored(self._pending, question.value))
            self._next()
        except Exception as error:  # noqa: BLE001 - the committer is not to pay for it
            self.failed(error)

    def _next(self) -> None:
        """Go on with what has come while the last request was served, when it is this connection's turn."""
        if self._state is State.OPEN and (self._readable or self._reader.begun):
            self._reactor.soon(self)

    def _answer(self, reply: Reply) -> None:
        self._give_back()
        pending, self._pending = self._pending, None
        close = self._close or self._lane.services.drain.begun
        data = self._lane.answer(reply, close=close)
        try:
            # What fits into the socket's buffer needs no turn of the loop: 20 µs of a small post's 200 (measured).
            sent = os.write(self._descriptor, data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._end()
            return
        if sent < len(data):
            self._reactor.at(self, inf)
            self._guest.house.begin(self._guest, partial(self._finish, data[sent:], close))
            return
        self._answered(close, trio.current_time() if pending is None else pending.post.answered)

    async def _finish(self, rest: bytes, close: bool) -> None:
        outcome = await send(self._guest.socket, rest, self._times.write)
        if self._state is State.GONE:
            return
        if outcome is not Sent.ALL:
            self._guest.house.leave(self._guest, cut=outcome is Sent.TOO_SLOW)
            return
        self._answered(close, trio.current_time())
        self._next()

    def _answered(self, close: bool, now: float) -> None:
        if close:
            self._end()
            return
        self._state = State.OPEN
        self._idle_until = now + (self._times.keep_alive if self._grace is None else self._grace)
        self._begun = inf
        self._reactor.at(self, self._idle_until)

    def _wait(self) -> None:
        """Until when more has to have come."""
        if self._begun == inf and self._reader.begun:
            self._begun = trio.current_time()
        if self._target is not None:
            until = self._begun + PATIENCE
        elif self._reader.begun:
            until = min(self._idle_until, self._begun + self._times.head)
        else:
            until = self._idle_until
        self._reactor.at(self, until)

    def _stream(self, opened: Opened) -> None:
        guest = self._guest
        guest.holder = None
        self.drop()
        subscriber = guest.holder = Subscriber(self._lane.hub, guest, opened.feed, opened.token, self._times.write)
        self._lane.streamed += 1
        subscriber.begin(opened.head)

    def _elsewhere(self, data: bytes | None = None) -> None:
        """Hand the connection to the plain route, with the bytes of the request that have come."""
        guest = self._guest
        data = self._reader.raw() if data is None else data
        guest.holder = None
        self.drop()
        self._lane.handed += 1
        guest.house.plain(guest, data)

    def _end(self) -> None:
        self._guest.house.leave(self._guest)

    def drop(self) -> None:
        if self._state is State.GONE:
            return
        self._state = State.GONE
        self._reactor.at(self, inf)
        self._reactor.remove(self._descriptor)
        self._reader = Reader()  # its bytes are somebody else's now, or nobody's
        self._give_back()
        question, self._question = self._question, None
        if question is not None:
            question.abandon()
        if self._pending is not None:
            self._pending.entry.drop()
            self._pending = None

    def _give_back(self) -> None:
        self._lane.guard.budget.give_back(self, self._held)
        self._held = 0
