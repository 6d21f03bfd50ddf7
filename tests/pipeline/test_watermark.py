"""Readers wake when there is something durable for them, and only then."""

import trio
from trio.testing import wait_all_tasks_blocked

from router.pipeline.watermark import Watermark


async def test_a_reader_waits_until_its_event_is_durable() -> None:
    watermark = Watermark(5)
    woken: list[int] = []

    async def wait(offset: int) -> None:
        assert await watermark.wait_beyond(offset)
        woken.append(offset)

    async with trio.open_nursery() as nursery:
        for offset in (4, 5, 6):
            nursery.start_soon(wait, offset)
        await wait_all_tasks_blocked()
        assert woken == [4]
        assert watermark.statistics().waiting == 2
        watermark.advance(6)
        await wait_all_tasks_blocked()
        assert woken == [4, 5]
        watermark.advance(7)
    assert woken == [4, 5, 6]


async def test_it_never_moves_back() -> None:
    watermark = Watermark(5)
    watermark.advance(3)

    assert watermark.end == 5
    assert watermark.statistics().advances == 0


async def test_closing_sends_everyone_home() -> None:
    watermark = Watermark(0)
    answers: list[bool] = []

    async def wait() -> None:
        answers.append(await watermark.wait_beyond(0))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        watermark.close()
    await wait()
    assert answers == [False, False]


async def test_what_is_durable_is_still_handed_out_after_closing() -> None:
    watermark = Watermark(1)
    watermark.close()

    assert await watermark.wait_beyond(0)
