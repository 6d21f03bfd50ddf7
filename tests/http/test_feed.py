"""A stream from its greeting to its end, without a front."""

import json
from pathlib import Path

import trio
from trio.testing import MockClock

from router.http.feed import Feed
from router.http.services import StreamLimits
from router.http.stream_query import Asked, Start
from router.pipeline.filters import EVERYTHING, Filter
from router.pipeline.frames import RAW, RAW_LINES
from router.pipeline.ledger import Append
from router.sse import Parser
from tests.http.conftest import PRODUCTION, Below, below
from tests.pipeline.conftest import body


def feed(running: Below, start: Start, asked: Asked) -> Feed:
    return Feed(running.services, running.environments[PRODUCTION], asked, start)


async def drained(stream: Feed) -> bytes:
    data = b""
    while (piece := await stream.next()) is not None:
        data += piece
    return data


async def test_until_now_ends_with_what_there_is(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        await running.environments[PRODUCTION].mailbox.ask(Append(body(3), 3), timeout=5)
        stream = feed(running, Start(1), Asked(EVERYTHING, RAW_LINES, until="now", lines=True))
        await running.environments[PRODUCTION].mailbox.ask(Append(body(3), 3), timeout=5)

        assert (await drained(stream)).split() == [b'{"n":1}', b'{"n":2}']
        assert stream.statistics().delivered == 2


async def test_until_a_time_that_has_passed_ends_there(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        environment = running.environments[PRODUCTION]
        for _ in range(3):
            await environment.mailbox.ask(Append(body(2), 2), timeout=5)
            running.clock.advance(1000)
        second = environment.log.statistics().last_arrival - 1000
        stream = feed(running, Start(0), Asked(EVERYTHING, RAW_LINES, until=str(second), lines=True))

        assert len((await drained(stream)).split()) == 2


async def test_out_of_band_messages_as_lines_name_themselves(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        environment = running.environments[PRODUCTION]
        await environment.mailbox.ask(Append(body(4), 4), timeout=5)
        environment.log.row = type(environment.log.row)(environment.log.row.number, environment.log.epoch, 4)
        lines = Asked(EVERYTHING, RAW_LINES, until="now", lines=True)
        [gap] = (await drained(feed(running, Start(0), lines))).split()
        assert json.loads(gap) == {
            "event": "gap", "from": None, "to": f"{environment.log.epoch}-3", "lost": 4, "reason": "retention",
        }  # fmt: skip
        [reset] = (await drained(feed(running, Start(4, "abcdefgh-9"), lines))).split()
        assert json.loads(reset)["event"] == "reset"


async def test_what_is_not_wanted_is_passed_over_and_heartbeats_go_on(tmp_path: Path) -> None:
    async with below(tmp_path, streams=StreamLimits(heartbeat=0.02)) as running:
        await running.environments[PRODUCTION].mailbox.ask(Append(body(3), 3), timeout=5)
        stream = feed(running, Start(0), Asked(Filter(flags=frozenset({"none"})), RAW))

        pieces = [await stream.next() for _ in range(3)]

        assert pieces == [b":\n\n"] * 3
        assert stream.statistics().lag == 0


async def test_a_stream_that_is_old_enough_ends_with_a_time_to_come_back(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with below(tmp_path, streams=StreamLimits(heartbeat=15, max_age=100)) as running:
        parser = Parser()
        list(parser.feed(await drained(feed(running, Start(0), Asked(EVERYTHING, RAW)))))

        assert parser.retry is not None
        assert 5 <= parser.comments <= 8, "after 80 to 100 seconds"


async def test_a_stream_that_is_ended_hands_out_nothing_more_whatever_there_is(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        await running.environments[PRODUCTION].mailbox.ask(Append(body(3), 3), timeout=5)
        stream = feed(running, Start(0), Asked(EVERYTHING, RAW))
        stirred = []
        stream.stir = lambda: stirred.append(True)
        stream.end()

        parser = Parser()
        assert list(parser.feed(await drained(stream))) == []
        assert parser.retry is not None
        assert stirred == [True]
        assert stream.take() is None


async def test_a_stream_that_waits_hears_of_its_end(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with below(tmp_path, streams=StreamLimits(heartbeat=15)) as running:
        stream = feed(running, Start(0), Asked(EVERYTHING, RAW_LINES, lines=True))
        assert await stream.next() == b"\n"
        begun = trio.current_time()

        async def end() -> None:
            await trio.sleep(2)
            stream.end()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(end)
            assert await stream.next() is None
        assert 2 <= trio.current_time() - begun < 3
