"""Streams woken together: one frame for all, each environment for itself, and nobody ends another's stream."""

from pathlib import Path

import pytest
import trio

from tests.http.conftest import PRODUCTION, STAGING
from tests.http.front import STREAM, front
from tests.http.test_subscriber import add, until


async def test_all_readers_of_an_environment_are_given_what_is_new(tmp_path: Path) -> None:
    async with front(tmp_path) as served:
        streams = [await served.connect() for _ in range(150)]
        for stream in streams:
            await stream.send_all(STREAM)
            await until(stream, b":\n")
        other = await served.connect()
        await other.send_all(STREAM.replace(b"token=api-1", b"project=default&environment=staging&token=api-all"))
        await until(other, b":\n")
        assert served.lane.hub.statistics().streams == 151
        rounds = served.lane.hub.statistics().rounds
        await add(served, 3)
        for stream in streams:
            assert (await until(stream, b"-2\n")).count(b"data: ") == 3
        assert served.lane.hub.statistics().rounds == rounds + 1
        assert served.below.environments[PRODUCTION].watermark.end == 3
        assert served.below.environments[STAGING].watermark.end == 0
        for stream in (*streams, other):
            await stream.aclose()
        with trio.fail_after(5):
            while served.lane.hub.statistics().streams:
                await trio.sleep(0.01)


async def test_a_frame_is_made_once_for_readers_that_are_given_the_same(tmp_path: Path) -> None:
    async with front(tmp_path) as served:
        hub, data = served.lane.hub, b"data: x\n\n"
        assert hub.framed(data) is hub.framed(data)
        assert hub.framed(data) == b"9\r\ndata: x\n\n\r\n"
        assert hub.framed(b"ab") == b"2\r\nab\r\n"


async def test_a_stream_that_breaks_does_not_end_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with front(tmp_path) as served:
        streams = [await served.connect() for _ in range(3)]
        for stream in streams:
            await stream.send_all(STREAM)
            await until(stream, b":\n")
        feed = next(iter(served.lane.streams.feeds))

        def broken() -> bytes:
            raise ValueError("cannot be read")

        monkeypatch.setattr(feed, "take", broken)
        await add(served, 1)
        ended = 0
        for stream in streams:
            with trio.fail_after(5):
                ended += not await stream.receive_some()
            await stream.aclose()
        assert ended == 1
        assert served.server.statistics().failed == 1
