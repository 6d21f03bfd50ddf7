"""Streams in the fast lane: no task while their readers keep up, one while they do not."""

from pathlib import Path

import trio

from router.http.server import ServerSettings
from router.http.services import StreamLimits
from router.pipeline.ledger import Append
from router.sse import Parser
from tests.http.conftest import PRODUCTION
from tests.http.front import STREAM, Front, front
from tests.pipeline.conftest import body


async def add(served: Front, count: int, times: int = 1) -> None:
    for _ in range(times):
        await served.below.environments[PRODUCTION].mailbox.ask(Append(body(count), count), timeout=10)


async def until(stream: trio.SocketStream, what: bytes, heard: bytes = b"") -> bytes:
    with trio.fail_after(20):
        while what not in heard:
            piece = bytes(await stream.receive_some(65536))
            assert piece, f"ended without {what!r} after {heard[-200:]!r}"
            heard += piece
    return heard


def dechunked(data: bytes) -> bytes:
    """The body of a chunked answer, as far as it has come."""
    rest, found = data.partition(b"\r\n\r\n")[2], b""
    while b"\r\n" in rest:
        size, _, rest = rest.partition(b"\r\n")
        found += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return found


async def test_a_reader_that_keeps_up_needs_no_task(tmp_path: Path) -> None:
    async with front(tmp_path) as served, await served.connect() as stream:
        await stream.send_all(STREAM)
        await until(stream, b":\n")
        tasks = trio.lowlevel.current_statistics().tasks_living
        await add(served, 2, times=5)
        heard = await until(stream, b"id: " + served.below.environments[PRODUCTION].log.epoch.encode() + b"-9\n")
        assert heard.count(b"data: ") == 10
        assert served.lane.hub.statistics().behind == 0
        assert trio.lowlevel.current_statistics().tasks_living == tasks


async def test_one_that_does_not_take_it_gets_a_task_and_comes_back_with_everything_in_order(tmp_path: Path) -> None:
    async with front(tmp_path) as served, await served.connect() as stream:
        await stream.send_all(STREAM)
        heard = await until(stream, b":\n")
        hub, total = served.lane.hub, 0
        with trio.fail_after(60):
            while not hub.statistics().behind:
                await add(served, 2000, times=5)
                total += 10_000
            await add(served, 7)
            total += 7
            last = f"-{total - 1}\n".encode()
            while last not in heard[-400_000:]:
                heard += bytes(await stream.receive_some(262_144))
            while hub.statistics().behind:
                await trio.sleep(0.01)
            await add(served, 1)
            heard = await until(stream, f"-{total}\n".encode() if total else b"", heard)
        parser = Parser()
        offsets = [int(str(event.id).rsplit("-", 1)[1]) for event in parser.feed(dechunked(heard) + b"\n\n")]
        assert offsets == list(range(total + 1))


async def test_a_reader_that_takes_nothing_is_cut_at_its_deadline(tmp_path: Path) -> None:
    settings = ServerSettings(drain_timeout=1, write_timeout=0.3)
    async with front(tmp_path, settings) as served, await served.connect() as stream:
        await stream.send_all(STREAM)
        await until(stream, b":\n")
        with trio.fail_after(60):
            while not served.lane.hub.statistics().behind:
                await add(served, 2000, times=5)
            while served.server.statistics().open:
                await trio.sleep(0.05)
        assert served.server.statistics().cut == 1
        assert served.lane.hub.statistics().streams == 0


async def test_quiet_streams_get_heartbeats_and_an_old_one_its_end(tmp_path: Path) -> None:
    limits = StreamLimits(heartbeat=0.1, max_age=1)
    async with front(tmp_path, streams=limits) as served, await served.connect() as stream:
        await stream.send_all(STREAM)
        heard = await until(stream, b"0\r\n\r\n")
        assert heard.count(b":\n\n") >= 5
        assert b"retry: " in heard
        with trio.fail_after(5):
            assert await stream.receive_some() == b""
        assert served.lane.streams.open == 0


async def test_what_a_reader_says_is_dropped_and_when_it_goes_its_stream_ends(tmp_path: Path) -> None:
    async with front(tmp_path) as served:
        stream = await served.connect()
        await stream.send_all(STREAM)
        await until(stream, b":\n")
        await stream.send_all(b"x" * 100_000)
        await add(served, 1)
        await until(stream, b"-0\n")
        await stream.aclose()
        with trio.fail_after(5):
            while served.server.statistics().open:
                await trio.sleep(0.01)
        assert served.lane.streams.open == 0
        assert served.server.statistics().failed == 0


async def test_a_drain_ends_streams_with_a_farewell(tmp_path: Path) -> None:
    async with front(tmp_path, ServerSettings(drain_timeout=5)) as served:
        stream = await served.connect()
        await stream.send_all(STREAM)
        heard = await until(stream, b":\n")
        begun = trio.current_time()
    with trio.fail_after(5):
        while piece := await stream.receive_some():
            heard += bytes(piece)
    assert b"retry: " in heard
    assert heard.endswith(b"0\r\n\r\n")
    assert trio.current_time() - begun < 3
    await stream.aclose()


async def test_a_stream_with_an_end_is_whole(tmp_path: Path) -> None:
    async with front(tmp_path) as served, await served.connect() as stream:
        await add(served, 50, times=100)
        await stream.send_all(STREAM.replace(b"token", b"from=earliest&until=now&token"))
        heard = await until(stream, b"\r\n0\r\n\r\n")
        assert dechunked(heard).count(b"data: ") == 5000
