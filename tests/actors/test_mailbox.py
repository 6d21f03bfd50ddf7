"""Mailboxes: bounds, deadlines, the duty to answer, and what outlives an incarnation."""

from contextlib import suppress
from dataclasses import FrozenInstanceError
from math import inf
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from router.actors.mailbox import Envelope, Inbox, Mailbox
from router.actors.question import Question
from router.errors import Busy, Interrupted


class Asked:
    """An ask in a task of its own, and its one outcome."""

    def __init__(self, nursery: trio.Nursery, mailbox: Mailbox[Any], message: object, timeout: float = 5.0) -> None:
        self.value: object = None
        self.error: BaseException | None = None
        self.done = trio.Event()
        self.scope = trio.CancelScope()
        nursery.start_soon(self._ask, mailbox, message, timeout)

    async def _ask(self, mailbox: Mailbox[Any], message: object, timeout: float) -> None:
        with self.scope:
            try:
                self.value = await mailbox.ask(message, timeout=timeout)
            except Exception as error:  # noqa: BLE001 - the outcome is what the test looks at
                self.error = error
        self.done.set()


async def test_told_messages_come_in_order() -> None:
    mailbox: Mailbox[int] = Mailbox("m", 4)
    inbox = mailbox.open()
    for number in range(3):
        mailbox.tell(number)
    assert [(await inbox.receive()).message for _ in range(3)] == [0, 1, 2]


async def test_full_mailbox_refuses_at_once() -> None:
    mailbox: Mailbox[int] = Mailbox("m", 2)
    mailbox.tell(1)
    mailbox.tell(2)
    with pytest.raises(Busy, match=r"m is behind: 2 messages wait already; try again in a second") as told:
        mailbox.tell(3)
    assert told.value.retry_after == 1
    with pytest.raises(Busy, match="m is behind"):
        await mailbox.ask(3, timeout=5.0)


def test_mailbox_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity of at least 1"):
        Mailbox[int]("m", 0)


async def test_ask_returns_the_reply(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[int] = Mailbox("m", 2)
    asked = Asked(nursery, mailbox, 20)
    envelope = await mailbox.open().receive()
    envelope.reply(envelope.message + 1)
    await asked.done.wait()
    assert (asked.value, asked.error) == (21, None)


async def test_first_settlement_wins(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[int] = Mailbox("m", 2)
    asked = Asked(nursery, mailbox, 1)
    envelope = await mailbox.open().receive()
    envelope.reply("first")
    envelope.reply("second")
    envelope.fail(ValueError("third"))
    await asked.done.wait()
    assert (asked.value, asked.error) == ("first", None)


async def test_failure_is_raised_in_every_asker_with_its_own_traceback_only(nursery: trio.Nursery) -> None:
    """A group of asks often fails with one exception: its traceback must not grow with the group."""
    mailbox: Mailbox[int] = Mailbox("m", 8)
    asked = [Asked(nursery, mailbox, number) for number in range(8)]
    await wait_all_tasks_blocked()
    error = ValueError("no")
    for envelope in await mailbox.open().receive_many(8):
        envelope.fail(error)
    await wait_all_tasks_blocked()
    assert all(one.error is error for one in asked)
    frames = 0
    trace = error.__traceback__
    while trace is not None:
        frames, trace = frames + 1, trace.tb_next
    assert frames <= 2


async def test_settling_a_told_message_does_nothing() -> None:
    mailbox: Mailbox[int] = Mailbox("m", 2)
    inbox = mailbox.open()
    mailbox.tell(1)
    envelope = await inbox.receive()
    envelope.reply(1)
    envelope.fail(ValueError("x"))
    assert envelope.message == 1


async def test_deadline_ends_an_ask(autojump_clock: MockClock) -> None:
    mailbox: Mailbox[int] = Mailbox("m", 2)
    before = trio.current_time()
    with pytest.raises(TimeoutError, match=r"m did not answer within 2\.5 s"):
        await mailbox.ask(1, timeout=2.5)
    assert trio.current_time() == before + 2.5


async def test_ask_whose_deadline_passed_in_the_queue_is_skipped(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    mailbox: Mailbox[str] = Mailbox("m", 4)
    inbox = mailbox.open()
    short = Asked(nursery, mailbox, "short", 1.0)
    await short.done.wait()
    long = Asked(nursery, mailbox, "long", inf)
    await wait_all_tasks_blocked()
    envelopes = await inbox.receive_many(4)
    assert [envelope.message for envelope in envelopes] == ["long"]
    assert isinstance(short.error, TimeoutError)
    assert mailbox.statistics().expired == 1
    envelopes[0].reply(None)
    await long.done.wait()


async def test_late_reply_changes_nothing(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    mailbox: Mailbox[int] = Mailbox("m", 4)
    inbox = mailbox.open()
    asked = Asked(nursery, mailbox, 1, 1.0)
    envelope = await inbox.receive()
    assert inbox.in_hand == 1
    await trio.sleep(2)
    assert inbox.in_hand == 0
    envelope.reply("late")
    assert isinstance(asked.error, TimeoutError)


async def test_cancelled_ask_is_delivered_all_the_same(nursery: trio.Nursery) -> None:
    """A sender that hangs up has often said its last word: a browser leaving the page."""
    mailbox: Mailbox[int] = Mailbox("m", 4)
    asked = Asked(nursery, mailbox, 1)
    await wait_all_tasks_blocked()
    asked.scope.cancel()
    await asked.done.wait()
    envelope = mailbox.open().receive_nowait()
    envelope.reply(1)
    assert (envelope.message, asked.value) == (1, None)


async def test_reply_at_the_very_deadline_is_not_lost(mock_clock: MockClock, nursery: trio.Nursery) -> None:
    mailbox: Mailbox[int] = Mailbox("m", 4)
    asked = Asked(nursery, mailbox, 1, 1.0)
    envelope = await mailbox.open().receive()
    mock_clock.jump(1.0)
    envelope.reply("just in time")
    await asked.done.wait()
    assert asked.value == "just in time"


async def test_queued_messages_pass_to_the_next_inbox(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[str] = Mailbox("m", 4)
    first = mailbox.open()
    taken = Asked(nursery, mailbox, "taken")
    await first.receive()
    queued = Asked(nursery, mailbox, "queued")
    await wait_all_tasks_blocked()
    first.release()
    await taken.done.wait()
    assert isinstance(taken.error, Interrupted)
    (await mailbox.open().receive()).reply("served")
    await queued.done.wait()
    assert queued.value == "served"


async def test_released_inbox_takes_nothing(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[int] = Mailbox("m", 4)
    inbox = mailbox.open()
    inbox.release()
    mailbox.tell(1)
    with pytest.raises(trio.ClosedResourceError):
        await inbox.receive()
    assert mailbox.depth == 1


async def test_message_handed_over_as_its_inbox_is_released_is_answered(nursery: trio.Nursery) -> None:
    """A waiting task is given the message before it runs again; in between its incarnation may be let go."""
    mailbox: Mailbox[int] = Mailbox("m", 4)
    inbox = mailbox.open()
    refused = trio.Event()

    async def take() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await inbox.receive()
        refused.set()

    nursery.start_soon(take)
    await wait_all_tasks_blocked()
    question = Question(inf, lambda: None)
    mailbox.deliver(Envelope(1, question))
    inbox.release()
    await refused.wait()
    assert isinstance(question.error, Interrupted)


async def test_closed_mailbox_refuses_and_its_inbox_ends_when_empty(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[str] = Mailbox("m", 4)
    inbox = mailbox.open()
    mailbox.tell("queued")
    mailbox.close()
    with pytest.raises(Busy, match="m is stopping and takes no messages"):
        mailbox.tell("more")
    assert [envelope.message async for envelope in inbox] == ["queued"]
    with pytest.raises(trio.EndOfChannel):
        await inbox.receive()
    with pytest.raises(trio.EndOfChannel):
        inbox.receive_nowait()
    with pytest.raises(trio.EndOfChannel):
        await inbox.receive_many(3)


async def test_closing_wakes_a_waiting_inbox(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[str] = Mailbox("m", 4)
    inbox = mailbox.open()
    ended = trio.Event()

    async def drain() -> None:
        async for _ in inbox:
            pass
        ended.set()

    nursery.start_soon(drain)
    await wait_all_tasks_blocked()
    mailbox.close()
    with trio.fail_after(1):
        await ended.wait()


async def test_opening_a_closed_mailbox_takes_in_again_and_keeps_the_queue() -> None:
    mailbox: Mailbox[int] = Mailbox("m", 2)
    mailbox.tell(1)
    mailbox.tell(2)
    mailbox.close()
    inbox = mailbox.open()
    assert (await inbox.receive()).message == 1
    mailbox.tell(3)
    assert [envelope.message for envelope in await inbox.receive_many(5)] == [2, 3]
    mailbox.close()
    mailbox.open()
    mailbox.tell(4)
    assert (mailbox.statistics().depth, mailbox.statistics().peak) == (1, 2)


async def test_discard_answers_what_is_queued(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[int] = Mailbox("m", 4)
    asked = [Asked(nursery, mailbox, number) for number in range(3)]
    await wait_all_tasks_blocked()
    mailbox.close()
    mailbox.discard()
    await wait_all_tasks_blocked()
    assert [type(one.error) for one in asked] == [Interrupted] * 3
    assert mailbox.depth == 0


async def test_receive_many_waits_for_one_and_takes_at_most_the_limit() -> None:
    mailbox: Mailbox[int] = Mailbox("m", 8)
    inbox = mailbox.open()
    for number in range(5):
        mailbox.tell(number)
    assert [envelope.message for envelope in await inbox.receive_many(3)] == [0, 1, 2]
    assert [envelope.message for envelope in await inbox.receive_many(3)] == [3, 4]
    with pytest.raises(trio.WouldBlock):
        inbox.receive_nowait()


async def test_forward_hands_over_the_duty_to_answer(nursery: trio.Nursery) -> None:
    """The first actor may crash afterwards, or reply: the answer is the second one's."""
    first: Mailbox[int] = Mailbox("first", 2)
    second: Mailbox[str] = Mailbox("second", 2)
    inbox = first.open()
    asked = Asked(nursery, first, 7)
    envelope = await inbox.receive()
    envelope.forward(second, f"seven is {envelope.message}")
    assert inbox.in_hand == 0
    envelope.reply("not yours any more")
    inbox.release()
    forwarded = await second.open().receive()
    forwarded.reply(forwarded.message)
    await asked.done.wait()
    assert asked.value == "seven is 7"


@pytest.mark.parametrize("closed", [False, True])
async def test_forward_to_a_mailbox_without_room_answers_busy(closed: bool, nursery: trio.Nursery) -> None:
    first: Mailbox[int] = Mailbox("first", 2)
    second: Mailbox[int] = Mailbox("second", 1)
    second.tell(0)
    if closed:
        second.close()
    asked = Asked(nursery, first, 7)
    (await first.open().receive()).forward(second, 7)
    await asked.done.wait()
    assert isinstance(asked.error, Busy)
    assert "second is" in str(asked.error)


async def test_forwarding_a_told_message_sends_it_or_counts_it_as_refused() -> None:
    second: Mailbox[int] = Mailbox("second", 1)
    Envelope(1).forward(second, 10)
    Envelope(2).forward(second, 20)
    assert [envelope.message for envelope in await second.open().receive_many(5)] == [10]
    assert second.statistics().refused == 1


async def test_statistics_count_and_are_frozen(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[int] = Mailbox("m", 2)
    mailbox.tell(1)
    mailbox.tell(2)
    with pytest.raises(Busy):
        mailbox.tell(3)
    statistics = mailbox.statistics()
    assert (statistics.depth, statistics.capacity, statistics.peak) == (2, 2, 2)
    assert (statistics.accepted, statistics.refused, statistics.expired) == (2, 1, 0)
    await mailbox.open().receive_many(2)
    assert (mailbox.statistics().depth, mailbox.statistics().peak) == (0, 2)
    with pytest.raises(FrozenInstanceError):
        statistics.depth = 0  # type: ignore[misc]  # that it is frozen is the point


async def test_asks_are_in_hand_until_settled_and_told_ones_until_the_next_look(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[str] = Mailbox("m", 4)
    inbox: Inbox[str] = mailbox.open()
    asked = Asked(nursery, mailbox, "asked")
    await wait_all_tasks_blocked()
    mailbox.tell("told")
    envelope = (await inbox.receive_many(2))[0]
    assert inbox.in_hand == 2
    with pytest.raises(trio.WouldBlock):
        inbox.receive_nowait()
    assert inbox.in_hand == 1
    envelope.reply(None)
    assert inbox.in_hand == 0
    await asked.done.wait()


async def test_messages_are_passed_on_where_they_are_sent_while_their_incarnation_waits(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[int] = Mailbox("m", 4)
    other: Mailbox[str] = Mailbox("other", 4)
    inbox, taking = mailbox.open(), other.open()
    received: list[int] = []

    def relay(envelope: Envelope[int]) -> bool:
        if envelope.message < 0:
            return False
        envelope.forward(other, str(envelope.message))
        return True

    async def receive() -> None:
        received.append((await inbox.receive_past(relay)).message)

    mailbox.tell(0)
    with pytest.raises(ValueError, match="take them before"):
        await inbox.receive_past(relay)
    assert inbox.receive_nowait().message == 0
    nursery.start_soon(receive)
    await wait_all_tasks_blocked()
    notified: list[bool] = []
    question = mailbox.ask_soon(1, inf, lambda: notified.append(True))
    passed = taking.receive_nowait()
    assert passed.message == "1"
    passed.reply("done")
    assert (question.value, notified) == ("done", [True])

    mailbox.tell(-2)
    mailbox.tell(3)
    await wait_all_tasks_blocked()
    assert received == [-2]
    assert mailbox.depth == 1, "what comes after one that is not passed on does not overtake it"
    assert mailbox.statistics().accepted == 4
    assert mailbox.taken == 3


@pytest.mark.parametrize("release", [True, False])
async def test_nothing_is_passed_on_for_an_incarnation_that_waits_no_more(*, release: bool) -> None:
    mailbox: Mailbox[int] = Mailbox("m", 4)
    inbox = mailbox.open()

    async def receive() -> None:
        with suppress(trio.ClosedResourceError):
            await inbox.receive_past(lambda _: True)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await wait_all_tasks_blocked()
        mailbox.tell(1)
        assert mailbox.depth == 0
        if release:
            inbox.release()
            mailbox.tell(2)
        nursery.cancel_scope.cancel()
    if not release:
        mailbox.tell(2)
    assert mailbox.depth == 1
    assert mailbox.open().receive_nowait().message == 2


async def test_what_cannot_be_passed_on_is_settled_before_its_asker_hears(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[int] = Mailbox("m", 4)
    full: Mailbox[int] = Mailbox("full", 1)
    full.tell(0)

    def relay(envelope: Envelope[int]) -> bool:
        envelope.forward(full, envelope.message)
        return True

    nursery.start_soon(mailbox.open().receive_past, relay)
    await wait_all_tasks_blocked()
    question = mailbox.ask_soon(1, inf, lambda: None)
    assert isinstance(question.error, Busy)
    with pytest.raises(Busy):
        await mailbox.ask(2, timeout=1)


async def test_who_waits_for_a_number_of_messages_is_called_once() -> None:
    mailbox: Mailbox[int] = Mailbox("m", 10)
    inbox = mailbox.open()
    calls: list[int] = []
    mailbox.tell(0)
    inbox.when_queued(3, lambda: calls.append(mailbox.depth))
    for n in range(5):
        mailbox.tell(n)
    assert calls == [3]
    inbox.when_queued(2, lambda: calls.append(0))
    assert calls == [3, 0]
