"""What an incarnation is given: the start barrier, progress, zones."""

import pytest
import trio
from trio.testing import MockClock

from router.actors.actor import Context
from router.actors.mailbox import Mailbox


async def test_start_is_reported_once() -> None:
    reports: list[str] = []
    context: Context[int] = Context("a", None, lambda: reports.append("started"))
    assert reports == []
    context.started()
    context.started()
    assert context.has_started
    assert reports == ["started"]


async def test_inbox_of_an_actor_without_mailbox_is_an_error() -> None:
    context: Context[int] = Context("a")
    with pytest.raises(RuntimeError, match="a has no mailbox: declare its Child with one"):
        _ = context.inbox
    assert context.in_hand == 0


async def test_progress_is_marked_by_call_by_message_and_by_leaving_a_zone(autojump_clock: MockClock) -> None:
    mailbox: Mailbox[int] = Mailbox("a", 4)
    context = Context("a", mailbox.open())
    start = trio.current_time()
    await trio.sleep(1)
    assert context.progressed_at == start
    context.progress()
    assert context.progressed_at == start + 1
    await trio.sleep(1)
    mailbox.tell(1)
    await context.inbox.receive()
    assert context.progressed_at == start + 2
    with context.waiting_on("the disk", limit=10):
        await trio.sleep(1)
    assert context.progressed_at == start + 3


async def test_zones_nest() -> None:
    context: Context[int] = Context("a")
    with context.waiting_on("outer", limit=10):
        with context.waiting_on("inner", limit=1):
            assert [(zone.what, zone.limit) for zone in context.zones] == [("outer", 10), ("inner", 1)]
        assert [zone.what for zone in context.zones] == ["outer"]
    assert context.zones == []


async def test_zone_ends_with_an_error() -> None:
    context: Context[int] = Context("a")
    with pytest.raises(ValueError, match="no"), context.waiting_on("outer", limit=10):
        raise ValueError("no")
    assert context.zones == []
