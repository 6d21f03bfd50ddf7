"""Named consumers: their place survives, moves back only when told to, and never names what cannot be."""

import pytest

from router.names import Cursor
from router.pipeline.consumers import MOST, Consumers
from router.store.cursors import Row
from router.store.threads import Threads
from tests.pipeline.conftest import Bench


def consumers(bench: Bench) -> Consumers:
    return Consumers(bench.engine, 1, bench.log, bench.watermark, bench.clock)


async def test_a_place_survives_a_restart(bench: Bench) -> None:
    async with bench.running():
        await bench.mailbox.ask(bench.fragment(5), timeout=5)
        known, epoch = consumers(bench), bench.log.epoch
        assert known.start("warehouse") is None
        await known.ack("warehouse", f"{epoch}-2", Threads())

        again = consumers(bench)
        assert again.start("warehouse") == Cursor(epoch, 2)
        [item] = again.items()
        assert (item.name, item.cursor, item.lag, item.acked_at) == ("warehouse", f"{epoch}-2", 2, bench.clock.now())
        assert again.statistics().lag == {"warehouse": 2}
        assert await again.remove("warehouse", Threads())
        assert not await again.remove("warehouse", Threads())
        assert consumers(bench).items() == []


async def test_an_older_cursor_moves_it_back_only_when_told_to(bench: Bench) -> None:
    async with bench.running():
        await bench.mailbox.ask(bench.fragment(5), timeout=5)
        known, epoch, threads = consumers(bench), bench.log.epoch, Threads()
        await known.ack("c", f"{epoch}-3", threads)
        await known.ack("c", f"{epoch}-1", threads)
        assert known.start("c") == Cursor(epoch, 3)
        await known.ack("c", f"{epoch}-1", threads, rewind=True)
        assert known.start("c") == Cursor(epoch, 1)


@pytest.mark.parametrize(
    ("name", "cursor", "reason"),
    [
        ("c", "abcdefgh-1", "another environment, or from before a restore"),
        ("c", "{epoch}-5", "beyond the newest event"),
        ("c", "soon", "no cursor"),
        ("a b", "{epoch}-1", "cannot be a consumer's name"),
        ("", "{epoch}-1", "cannot be a consumer's name"),
    ],
)
async def test_what_cannot_be_acknowledged(bench: Bench, name: str, cursor: str, reason: str) -> None:
    async with bench.running():
        await bench.mailbox.ask(bench.fragment(5), timeout=5)
        known = consumers(bench)
        with pytest.raises(ValueError, match=reason):
            await known.ack(name, cursor.format(epoch=bench.log.epoch), Threads())
        assert known.items() == []


async def test_there_are_not_more_than_so_many(bench: Bench) -> None:
    async with bench.running():
        await bench.mailbox.ask(bench.fragment(1), timeout=5)
        known = consumers(bench)
        known._rows = {str(n): Row(bench.log.epoch, 1, 0) for n in range(MOST)}
        with pytest.raises(ValueError, match="DELETE one"):
            await known.ack("one-more", f"{bench.log.epoch}-0", Threads())
