"""Blocking calls leave the loop turning, and one kind does not starve another."""

import time

import trio

from router.store.threads import Threads


async def test_the_loop_turns_while_a_call_blocks() -> None:
    turns = 0

    async def turn(scope: trio.CancelScope) -> None:
        nonlocal turns
        with scope:
            while True:
                await trio.sleep(0.005)
                turns += 1

    def blocks() -> int:
        time.sleep(0.2)
        return 7

    scope = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(turn, scope)
        assert await Threads().sync(blocks) == 7
        scope.cancel()
    assert turns > 5


async def test_long_maintenance_does_not_hold_up_a_sync() -> None:
    threads = Threads()
    order: list[str] = []

    async def maintain() -> None:
        await threads.maintenance(lambda: time.sleep(0.3))
        order.append("maintenance")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(maintain)
        await trio.sleep(0.05)
        await threads.sync(lambda: None)
        order.append("sync")
    assert order == ["sync", "maintenance"]


async def test_a_cancelled_wait_still_sees_its_call_through() -> None:
    """An abandoned commit would leave nobody who knows whether it happened."""
    done: list[int] = []

    def slow() -> None:
        time.sleep(0.1)
        done.append(1)

    with trio.move_on_after(0.01):
        await Threads().cold(slow)
    assert done == [1]
