"""Connections in the fast lane: what they are answered, when they end, and when another route has them."""

import gc
from pathlib import Path

import pytest
import trio

from router.http.admission import AdmissionLimits
from router.http.channel import Channel
from router.http.guard import GuardLimits
from router.http.server import ServerSettings
from tests.http.conftest import PRODUCTION
from tests.http.front import EVENT, POST, front
from tests.wire.client import hear, status


async def test_many_requests_in_one_piece_are_answered_in_order(tmp_path: Path) -> None:
    async with front(tmp_path) as served, await served.connect() as stream:
        await stream.send_all((POST + POST.replace(b"sdk-1", b"sdk-9")) * 40)
        answers, ended = await hear(stream)
        assert not ended
        assert [int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:]] == [202, 401] * 40
        assert served.lane.statistics().requests == 80
        assert served.below.environments[PRODUCTION].watermark.end == 40


async def test_a_connection_is_idle_for_so_long_and_no_longer(tmp_path: Path) -> None:
    settings = ServerSettings(drain_timeout=1, keep_alive_timeout=0.3, head_timeout=0.1)
    async with front(tmp_path, settings) as served:
        idle, used, slow = await served.connect(), await served.connect(), await served.connect()
        begun = trio.current_time()
        await slow.send_all(POST[:20])
        await trio.sleep(0.2)
        await used.send_all(POST)
        assert status(bytes(await used.receive_some())) == 202
        with trio.fail_after(5):
            assert await slow.receive_some() == b""
            assert await idle.receive_some() == b""
            assert 0.25 < trio.current_time() - begun < 0.45
            assert await used.receive_some() == b""
        assert trio.current_time() - begun > 0.45
        for stream in (idle, used, slow):
            await stream.aclose()


async def test_a_body_that_comes_slowly_is_the_plain_routes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.http.channel.PATIENCE", 0.1)
    async with front(tmp_path) as served, await served.connect() as stream:
        await stream.send_all(POST[:-10])
        with trio.fail_after(5):
            while not served.lane.statistics().handed:
                await trio.sleep(0.01)
        await stream.send_all(POST[-10:])
        assert status((await hear(stream))[0]) == 202
        await stream.send_all(POST)
        assert status((await hear(stream))[0]) == 202
        assert served.below.environments[PRODUCTION].watermark.end == 2


@pytest.mark.parametrize("cut", [len(POST) - 5, 30])
async def test_a_sender_that_ends_half_way_is_the_plain_routes(tmp_path: Path, cut: int) -> None:
    async with front(tmp_path) as served, await served.connect() as stream:
        await stream.send_all(POST[:cut])
        await stream.send_eof()
        with trio.fail_after(5):
            while served.server.statistics().open:
                await trio.sleep(0.01)
        assert served.lane.statistics().handed == 1
        assert served.server.statistics().failed == 0
        assert served.below.environments[PRODUCTION].watermark.end == 0


async def test_without_room_for_a_body_the_plain_route_waits_for_some(tmp_path: Path) -> None:
    limits = GuardLimits(max_in_flight=len(EVENT) + 10)
    async with front(tmp_path, limits=limits) as served:
        first, second = await served.connect(), await served.connect()
        await first.send_all(POST[:-1])
        await trio.sleep(0.05)
        await second.send_all(POST)
        await trio.sleep(0.05)
        assert served.lane.statistics().handed == 1
        await first.send_all(POST[-1:])
        for stream in (first, second):
            assert status((await hear(stream))[0]) == 202
            await stream.aclose()
        assert served.lane.guard.budget.statistics().used == 0


async def test_a_large_body_is_decoded_beside_the_loop_and_answered_here(tmp_path: Path) -> None:
    body = b"[" + b",".join([EVENT[1:-1]] * 2000) + b"]"
    head = b"POST /bulk HTTP/1.1\r\nHost: x\r\nAuthorization: sdk-1\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with front(tmp_path) as served, await served.connect() as stream:
        await stream.send_all(head + body + POST)
        answers = b""
        with trio.fail_after(20):
            while answers.count(b"HTTP/1.1 202") < 2:
                answers += await stream.receive_some(65536)
        assert served.lane.statistics().requests == 2
        assert served.below.environments[PRODUCTION].watermark.end == 2001


async def test_an_answer_that_does_not_come_in_time_is_a_503(tmp_path: Path) -> None:
    """The disk stands still; the sender is told to come again, and the connection goes on."""
    async with front(tmp_path) as served, await served.connect() as stream:
        services = served.below.services
        services.ask_timeout = 0.1
        sync, release = served.below.engine.sync, trio.Event()

        def stand_still() -> None:
            trio.from_thread.run(release.wait)
            sync()

        served.below.engine.sync = stand_still  # type: ignore[method-assign]  # the disk itself cannot be asked to
        await stream.send_all(POST)
        answer, ended = await hear(stream)
        assert status(answer) == 503
        assert b"the events may not be stored" in answer
        assert not ended
        release.set()
        await trio.sleep(0.1)
        services.ask_timeout = 30
        await stream.send_all(POST)
        assert status((await hear(stream))[0]) == 202


async def test_a_connection_that_is_reset_while_it_waits_leaves_nothing_behind(tmp_path: Path) -> None:
    async with front(tmp_path) as served:
        for _ in range(20):
            stream = await served.connect()
            await stream.send_all(POST * 3)
            stream.socket.setsockopt(1, 13, b"\x01\x00\x00\x00\x00\x00\x00\x00")  # SO_LINGER, 0 s: a reset
            await stream.aclose()
        with trio.fail_after(5):
            while served.server.statistics().open:
                await trio.sleep(0.01)
        assert served.server.statistics().failed == 0
        assert served.lane.guard.budget.statistics().used == 0
        accounts = served.lane.ingest.tally().accounts.values()
        assert all(account.in_flight == 0 and account.unaccounted == 0 for account in accounts)


async def test_an_idle_connection_makes_room_for_another(tmp_path: Path) -> None:
    settings = ServerSettings(drain_timeout=1, admission=AdmissionLimits(max_connections=2))
    async with front(tmp_path, settings) as served:
        streams = [await served.connect() for _ in range(3)]
        with trio.fail_after(5):
            assert await streams[0].receive_some() == b""
        await streams[2].send_all(POST)
        assert status((await hear(streams[2]))[0]) == 202
        assert served.server.statistics().evicted == 1
        for stream in streams:
            await stream.aclose()


async def test_a_connection_whose_body_is_on_its_way_makes_no_room(tmp_path: Path) -> None:
    settings = ServerSettings(drain_timeout=1, admission=AdmissionLimits(max_connections=2))
    async with front(tmp_path, settings) as served:
        posting, idle = await served.connect(), await served.connect()
        await posting.send_all(POST[:-5])
        await trio.sleep(0.05)
        late = await served.connect()
        with trio.fail_after(5):
            assert await idle.receive_some() == b""
        await posting.send_all(POST[-5:])
        assert status((await hear(posting))[0]) == 202
        for stream in (posting, idle, late):
            await stream.aclose()


async def test_what_breaks_on_one_connection_ends_that_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> bytes:
        raise ValueError("no answer")

    async with front(tmp_path) as served:
        other, stream = await served.connect(), await served.connect()
        answer = served.lane.answer
        monkeypatch.setattr(served.lane, "answer", broken)
        await stream.send_all(POST)
        with trio.fail_after(5):
            assert await stream.receive_some() == b""
        monkeypatch.setattr(served.lane, "answer", answer)
        await other.send_all(POST)
        assert status((await hear(other))[0]) == 202
        assert served.server.statistics().failed == 1
        assert "a connection failed" in caplog.text
        for each in (other, stream):
            await each.aclose()


async def test_what_is_handed_on_is_not_kept(tmp_path: Path) -> None:
    """The reactor may remember a connection that is gone for a while; its bytes are not to stay with it."""
    head = b"POST /bulk HTTP/1.1\r\nHost: x\r\nX-Huge: " + b"x" * 60_000
    async with front(tmp_path) as served:
        for _ in range(20):
            async with await served.connect() as stream:
                await stream.send_all(head)
                await stream.send_eof()
                await hear(stream)
        with trio.fail_after(5):
            while served.server.statistics().open:
                await trio.sleep(0.01)
        kept = [found for found in gc.get_objects() if isinstance(found, Channel)]
        assert sum(len(channel._reader.raw()) for channel in kept) == 0
