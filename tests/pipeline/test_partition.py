"""The partition passes on, in order, and passes on the duty to answer too."""

import pytest
import trio

from router.actors.mailbox import Mailbox
from router.actors.supervisor import Child
from router.errors import Busy, Interrupted
from router.pipeline.ledger import Append, Committed
from router.pipeline.partition import Partition
from tests.pipeline.conftest import Bench, body


def child(bench: Bench, mailbox: Mailbox[Append]) -> Child:
    return Child("partition", lambda: Partition(bench.ledger, bench.mailbox), mailbox=mailbox)


async def test_batches_are_kept_in_the_order_they_came(bench: Bench) -> None:
    mailbox: Mailbox[Append] = Mailbox("partition", 64)
    answers: dict[int, Committed] = {}

    async def ask(n: int) -> None:
        answers[n] = await mailbox.ask(Append(body(2, name=f"{n}-"), 2), timeout=5)

    async with bench.running(child(bench, mailbox)), trio.open_nursery() as nursery:
        for n in range(10):
            nursery.start_soon(ask, n)
    names = [event.name for stored in bench.log.read(0, 20) for event in stored.entry.events]
    for n, answer in answers.items():
        assert answer.last == answer.first + 1
        assert names[answer.first : answer.first + 2] == [f"{n}-0", f"{n}-1"]
    assert len(answers) == 10


async def test_a_full_committer_is_told_to_the_asker(bench: Bench) -> None:
    """With the committer gone its mailbox fills up: the asker hears busy instead of waiting for ever."""
    mailbox: Mailbox[Append] = Mailbox("partition", 64)
    stuck: Mailbox[object] = Mailbox("committer", 1)
    stuck.tell(object())
    children = Child("partition", lambda: Partition(bench.ledger, stuck), mailbox=mailbox)  # type: ignore[arg-type]  # any mailbox will do
    async with bench.running(children):
        with pytest.raises(Busy):
            await mailbox.ask(Append(body(1), 1), timeout=5)


async def test_a_damaged_log_takes_nothing_that_is_sent_after_the_damage_was_met(bench: Bench) -> None:
    """Requests do not wait for the partition's turn, but they do not get past it either."""
    mailbox: Mailbox[Append] = Mailbox("partition", 64)
    async with bench.running(child(bench, mailbox)):
        assert (await mailbox.ask(Append(body(1), 1), timeout=5)).last == 0
        bench.log._damage.append((0, 0, "event 0 cannot be read"))
        with pytest.raises((Busy, Interrupted, TimeoutError)):
            await mailbox.ask(Append(body(1), 1), timeout=0.5)
        assert bench.log.head == 1
        bench.log._damage.clear()
