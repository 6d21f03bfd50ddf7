"""The idle timer: a deadline on the read, moved by what hypercorn says of the connection."""

from math import inf

import trio
from trio.testing import MockClock

from router.http.connection import IdleTimer


async def test_an_idle_read_ends_when_the_time_is_over(autojump_clock: MockClock) -> None:
    timer = IdleTimer(75)
    await timer.restart(None, None)
    with timer.reading() as scope:
        await trio.sleep_forever()
    assert scope.cancelled_caught
    assert trio.current_time() == 75


async def test_a_busy_connection_waits_for_as_long_as_it_takes(autojump_clock: MockClock) -> None:
    timer = IdleTimer(75)
    await timer.restart(None, None)
    with timer.reading() as scope:
        await trio.sleep(10)
        timer.busy()
        await trio.sleep(1000)
    assert not scope.cancelled_caught


async def test_the_time_begins_anew_after_every_request(autojump_clock: MockClock) -> None:
    timer = IdleTimer(75)
    timer.busy()
    with timer.reading() as scope:
        await trio.sleep(1000)
        await timer.restart(None, None)
        await trio.sleep_forever()
    assert scope.cancelled_caught
    assert trio.current_time() == 1075


async def test_expiring_ends_an_idle_connection_now_and_a_busy_one_when_it_is_idle(autojump_clock: MockClock) -> None:
    idle, busy = IdleTimer(75), IdleTimer(75)
    await idle.restart(None, None)
    busy.busy()
    idle.expire(0.2)
    busy.expire(0.2)
    assert idle.deadline == trio.current_time() + 0.2
    assert busy.deadline == inf
    await busy.restart(None, None)
    assert busy.deadline == trio.current_time() + 0.2
