"""A connection's record: closed once, and who waits for that is told."""

import socket
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from router.http.guest import Guest


class Dropped:
    """A holder that counts how often it is dropped."""

    def __init__(self) -> None:
        self.drops = 0

    def evict(self) -> bool:
        return False

    def expire(self, grace: float) -> None:
        pass

    def drop(self) -> None:
        self.drops += 1


async def test_closing_drops_the_holder_and_wakes_who_waits() -> None:
    here, there = socket.socketpair()
    house: Any = None
    guest = Guest(house, here, "")
    holder = guest.holder = Dropped()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(guest.ended)
        await wait_all_tasks_blocked()
        guest.close()
        guest.close()
    assert holder.drops == 1
    assert guest.over
    assert here.fileno() < 0
    await guest.ended()
    there.close()
