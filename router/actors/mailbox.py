"""Bounded mailboxes that outlive the actor they belong to, and the duty to answer what was asked.

The mailbox keeps a receiving end of its own, so what is queued survives a crash; every incarnation of the actor gets
an `Inbox` of its own. Who asks gets exactly one outcome, whatever crashes: the duty to answer (`Question`) is either
queued, or in the hand of one incarnation, or passed on to another mailbox, and each of these ends by settling it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any, Generic, TypeVar

import trio

from router.actors.question import Question
from router.errors import Busy, Interrupted

M = TypeVar("M")
N = TypeVar("N")


@dataclass(frozen=True, slots=True)
class MailboxStatistics:
    """depth: messages queued now; capacity: most that can be; peak: most that ever were; accepted and refused:
    messages since the mailbox was made; expired: asks that were skipped because their deadline passed in the queue."""

    depth: int
    capacity: int
    peak: int
    accepted: int
    refused: int
    expired: int = 0


class Tally:
    """Running counts that a mailbox shares with its inboxes; read them through `Mailbox.statistics`."""

    __slots__ = ("accepted", "call", "expired", "passed", "refused", "relay", "taken", "until")

    def __init__(self) -> None:
        self.relay: Callable[[Any], bool] | None = None
        self.until = 0
        self.call: Callable[[], object] | None = None
        self.accepted = 0
        self.refused = 0
        self.expired = 0
        self.taken = 0
        self.passed = 0  # by the relay: accepted and taken at once


class Envelope(Generic[M]):
    """A message, and the duty to answer it where it was asked.

    question: None for a message that was told, and after `forward`.
    """

    __slots__ = ("message", "question")

    def __init__(self, message: M, question: Question | None = None) -> None:
        self.message = message
        self.question = question

    def reply(self, value: object) -> None:
        """Answer the asker with `value`. Does nothing for a told message, or when it has been settled already."""
        if self.question is not None:
            self.question.reply(value)

    def fail(self, error: Exception) -> None:
        """Raise `error` in the asker. Does nothing for a told message, or when it has been settled already."""
        if self.question is not None:
            self.question.fail(error)

    def forward(self, mailbox: "Mailbox[N]", message: N) -> None:
        """Send `message` to another actor together with the duty to answer; this envelope has none from then on.

        Where that mailbox is full or closed the asker gets its `Busy`; a told message is dropped, and counted there as
        refused. Never raises.
        """
        question, self.question = self.question, None
        if question is not None and question.holder is not None:
            question.hand_over()
        try:
            mailbox.deliver(Envelope(message, question))
        except Busy as busy:
            if question is not None:
                question.fail(busy)


class Inbox(Generic[M]):
    """What one incarnation of an actor takes its messages from; made by `Mailbox.open`.

    An ask whose deadline passed while it was queued is skipped, so that overload is not made worse by dead work. One
    whose asker was cancelled is not: the request may have been all that its sender had left to say.

    taken_at: trio time of the latest look that found something.
    """

    __slots__ = ("_channel", "_in_hand", "_name", "_relay", "_released", "_tally", "_told", "taken_at")

    def __init__(self, name: str, channel: "trio.MemoryReceiveChannel[Envelope[M]]", tally: Tally) -> None:
        self._name = name
        self._channel = channel
        self._tally = tally
        self._in_hand: set[Question] = set()
        self._relay: Callable[[Envelope[M]], bool] | None = None
        self._told = False
        self._released = False
        self.taken_at = -inf

    @property
    def in_hand(self) -> int:
        """Messages taken and not done with: asks until they are settled or forwarded, told ones until the next look."""
        return len(self._in_hand) + self._told

    @property
    def queued(self) -> int:
        """Messages that can be taken now."""
        return self._channel.statistics().current_buffer_used

    async def receive(self) -> Envelope[M]:
        """The next message; waits for one.

        Raises:
            trio.EndOfChannel: the mailbox is closed and nothing is queued.
            trio.ClosedResourceError: the inbox has been released.
        """
        self._told = False
        while True:
            envelope = await self._channel.receive()
            if self._take(envelope, trio.current_time()):
                return envelope

    def receive_nowait(self) -> Envelope[M]:
        """The next message.

        Raises:
            trio.WouldBlock: nothing is queued.
            trio.EndOfChannel: the mailbox is closed and nothing is queued.
            trio.ClosedResourceError: the inbox has been released.
        """
        self._told = False
        now = trio.current_time()
        while True:
            envelope = self._channel.receive_nowait()
            if self._take(envelope, now):
                return envelope

    async def receive_many(self, limit: int) -> list[Envelope[M]]:
        """Waits for one message, then takes what else is queued without waiting, at most `limit` in all.

        A wake-up costs 3 µs and a take without waiting 0.3 µs, so whoever can work on groups should.

        Raises:
            trio.EndOfChannel: the mailbox is closed and nothing is queued.
            trio.ClosedResourceError: the inbox has been released.
        """
        first = await self.receive()
        return [first, *self.receive_queued(limit - 1)]

    def receive_queued(self, limit: int) -> list[Envelope[M]]:
        """What is queued now, without waiting, at most `limit` messages; none when nothing is.

        Raises:
            trio.ClosedResourceError: the inbox has been released.
        """
        taken: list[Envelope[M]] = []
        now = trio.current_time()
        try:
            while len(taken) < limit:
                envelope = self._channel.receive_nowait()
                if self._take(envelope, now):
                    taken.append(envelope)
        except (trio.WouldBlock, trio.EndOfChannel):
            pass
        return taken

    def when_queued(self, count: int, call: Callable[[], object]) -> None:
        """Call `call` once, as soon as so many messages are queued; at once where they are. Replaces what was asked for
        before. It must neither raise nor wait."""
        tally = self._tally
        tally.until = max(0, count - self.queued)
        tally.call = call
        if not tally.until:
            call()

    async def receive_past(self, relay: Callable[[Envelope[M]], bool]) -> Envelope[M]:
        """Waits for a message that `relay` does not take. While this waits, messages are handed to `relay` where they
        are sent, without a turn of the actor; the first that it does not take, False, is queued and ends that, so that
        none overtakes it. `relay` must neither raise nor wait.

        Raises:
            ValueError: something is queued, which what is passed on would overtake.
            trio.EndOfChannel: the mailbox is closed and nothing is queued.
            trio.ClosedResourceError: the inbox has been released.
        """
        if self.queued:
            raise ValueError(f"{self._name} has messages queued: take them before others are passed on")
        self._relay = self._tally.relay = relay
        try:
            return await self.receive()
        finally:
            self._no_relay()

    def __aiter__(self) -> "Inbox[M]":
        return self

    async def __anext__(self) -> Envelope[M]:
        try:
            return await self.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    def release(self) -> None:
        """The incarnation has ended: what it has in hand is answered with `Interrupted`, and it can take no more."""
        self._released = True
        self._told = False
        self._channel.close()
        self._no_relay()
        for question in list(self._in_hand):
            question.fail(self._interrupted())

    def _no_relay(self) -> None:
        if self._tally.relay is self._relay:  # not that of a later incarnation
            self._tally.relay = None
        self._relay = None

    def _take(self, envelope: Envelope[M], now: float) -> bool:
        question = envelope.question
        if self._released:
            # A task that was woken with a message in the very turn in which its incarnation was given up.
            envelope.fail(self._interrupted())
            raise trio.ClosedResourceError
        self.taken_at = now
        if question is None:
            self._told = True
        elif question.deadline <= now:
            self._tally.expired += 1
            question.fail(TimeoutError(f"{self._name} did not come to the request before its deadline"))
            return False
        elif question.settled:  # by an asker that was cancelled
            self._told = True
        else:
            question.take(self._in_hand)
        self._tally.taken += 1
        return True

    def _interrupted(self) -> Interrupted:
        return Interrupted(
            f"{self._name} ended with the request in hand, which may have been done or not; send it again"
        )


class Mailbox(Generic[M]):
    """A bounded queue of messages to one actor. Made once, outside; it outlives every incarnation.

    name: of the actor, for messages to people. capacity: most messages queued, at least 1.

    Raises:
        ValueError: the capacity is less than 1.
    """

    __slots__ = ("_closed", "_peak", "_receive", "_send", "_tally", "capacity", "name")

    def __init__(self, name: str, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"mailbox of {name} cannot hold {capacity} messages: give it a capacity of at least 1")
        self.name = name
        self.capacity = capacity
        self._tally = Tally()
        self._peak = 0
        self._closed: str | None = None
        self._send, self._receive = trio.open_memory_channel[Envelope[M]](capacity)

    def tell(self, message: M) -> None:
        """Queue a message that needs no answer.

        Raises:
            Busy: the mailbox is full or closed; the message was not queued.
        """
        self.deliver(Envelope(message))

    async def ask(self, message: M, *, timeout: float) -> Any:  # noqa: ANN401 - each message has an answer of its own type
        """Queue a message and wait for its answer, at most `timeout` seconds.

        A cancelled ask has been delivered nevertheless and may be carried out.

        Raises:
            Busy: the mailbox is full or closed; the message was not queued.
            Interrupted: the actor ended with the message in hand, or stopped for good before it came to it.
            TimeoutError: no answer in time; the message may have been carried out or may still be.
            Exception: whatever the actor failed the message with.
        """
        answered = trio.Event()
        question = self.ask_soon(message, trio.current_time() + timeout, answered.set)
        try:
            with trio.CancelScope(deadline=question.deadline):
                await answered.wait()
            if not question.settled:
                raise TimeoutError(f"{self.name} did not answer within {timeout:g} s")
        finally:
            question.abandon()
        if question.error is not None:
            # One exception often fails a whole group of asks: put its traceback back, or each asker would lengthen it.
            raise question.error.with_traceback(question.traceback)
        return question.value

    def ask_soon(self, message: M, deadline: float, notify: Callable[[], None]) -> Question:
        """Queue a message for an asker that does not wait: `notify` is called when the question that is returned has
        been settled, with a value or an error; that may be so already. It is the asker's to `abandon` it when its
        `deadline` comes.

        Raises:
            Busy: the mailbox is full or closed; the message was not queued.
        """
        question = Question(deadline, notify)
        self.deliver(Envelope(message, question))
        return question

    def deliver(self, envelope: Envelope[M]) -> None:
        """Queue an envelope that exists already: what `tell`, `ask` and `Envelope.forward` do.

        Raises:
            Busy: the mailbox is full or closed; the envelope was not queued.
        """
        tally = self._tally
        if self._closed is not None:
            tally.refused += 1
            raise Busy(f"{self.name} is {self._closed} and takes no messages; try again later")
        if tally.relay is not None:
            if tally.relay(envelope):
                tally.passed += 1
                return
            tally.relay = None
        try:
            self._send.send_nowait(envelope)
        except trio.WouldBlock:
            tally.refused += 1
            raise Busy(f"{self.name} is behind: {self.capacity} messages wait already; try again in a second") from None
        tally.accepted += 1
        if tally.until:
            tally.until -= 1
            if not tally.until and tally.call is not None:
                tally.call()

    def open(self) -> Inbox[M]:
        """An inbox for a new incarnation. Takes in again what `close` had shut; what is queued stays queued."""
        if self._closed is not None:
            self._peak = self.statistics().peak
            queued = self._drain()
            self._send, self._receive = trio.open_memory_channel[Envelope[M]](self.capacity)
            for envelope in queued:
                self._send.send_nowait(envelope)
            self._closed = None
        return Inbox(self.name, self._receive.clone(), self._tally)

    def close(self, reason: str = "stopping") -> None:
        """No more intake: `tell` and `ask` raise `Busy`, and inboxes end once what is queued has been taken.

        reason: completes "NAME is …" in the message of that `Busy`.
        """
        self._closed = reason
        self._send.close()

    def discard(self) -> None:
        """Answer everything still queued with `Interrupted`."""
        for envelope in self._drain():
            envelope.fail(Interrupted(f"{self.name} stopped before it came to the request; send it again"))

    @property
    def depth(self) -> int:
        """Messages queued now."""
        return self._receive.statistics().current_buffer_used

    @property
    def taken(self) -> int:
        """Messages that incarnations have taken so far."""
        return self._tally.taken + self._tally.passed

    def statistics(self) -> MailboxStatistics:
        channel = self._receive.statistics()
        tally = self._tally
        return MailboxStatistics(
            depth=channel.current_buffer_used,
            capacity=self.capacity,
            peak=max(self._peak, channel.peak_buffer_used),
            accepted=tally.accepted + tally.passed,
            refused=tally.refused,
            expired=tally.expired,
        )

    def _drain(self) -> list[Envelope[M]]:
        drained: list[Envelope[M]] = []
        try:
            while True:
                drained.append(self._receive.receive_nowait())
        except (trio.WouldBlock, trio.EndOfChannel):
            return drained
