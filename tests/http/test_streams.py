"""Streams: where they begin, what they say out of band, and how they end."""

import gzip
import json
from pathlib import Path

import pytest

from router.credentials import Keyring, Scope, Token
from router.http.app import create_app
from router.http.feed import Feed
from router.http.ingest import Ingest
from router.http.services import StreamLimits
from router.http.stream_query import Asked, Start
from router.http.streams import EventStream, NoRoom, Streams
from router.names import Cursor
from router.pipeline.filters import EVERYTHING
from router.pipeline.frames import RAW
from router.pipeline.ledger import Append
from router.sse import Message, Parser
from tests.http.conftest import PRODUCTION, Below, below
from tests.pipeline.conftest import body

TOKEN = Token("all", frozenset(Scope), None)
ASKED = Asked(EVERYTHING, RAW)


async def append(running: Below, count: int) -> None:
    await running.environments[PRODUCTION].mailbox.ask(Append(body(count), count), timeout=5)


def stream(running: Below, start: Start, asked: Asked = ASKED) -> EventStream:
    feed = Feed(running.services, running.environments[PRODUCTION], asked, start)
    return EventStream(Streams(running.services), feed, TOKEN)


async def read(body: EventStream, count: int) -> list[Message]:
    """The next `count` messages."""
    parser = Parser()
    found: list[Message] = []
    async for data in body:
        found.extend(parser.feed(data))
        if len(found) >= count:
            break
    return found


async def test_events_come_as_sent_under_their_cursor(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        await append(running, 2)
        found = await read(stream(running, Start(0)), 2)
        epoch = running.environments[PRODUCTION].log.epoch

        assert found == [
            Message("message", '{"n":0}', f"{epoch}-0"),
            Message("message", '{"n":1}', f"{epoch}-1"),
        ]


async def test_a_foreign_cursor_is_told_and_answered_from_the_oldest_event(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        await append(running, 1)
        found = await read(stream(running, Start(0, "abcdefgh-9")), 2)

        assert found[0].event == "reset"
        assert json.loads(found[0].data) == {"from": "abcdefgh-9", "to": None}
        assert found[1].data == '{"n":0}'


async def test_what_retention_took_is_announced_as_a_gap(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        for _ in range(3):
            await append(running, 2)
        log = running.environments[PRODUCTION].log
        log.row = type(log.row)(log.row.number, log.row.epoch, 4)
        found = await read(stream(running, Start(1)), 3)

        assert found[0].event == "gap"
        assert json.loads(found[0].data) == {
            "from": f"{log.epoch}-0",
            "to": f"{log.epoch}-3",
            "lost": 3,
            "reason": "retention",
        }
        assert found[0].id == f"{log.epoch}-3", "who reconnects after a gap is not told of it twice"
        assert [Cursor.parse(message.id).offset for message in found[1:]] == [4, 5]


async def test_a_quiet_stream_is_kept_alive_by_comments(tmp_path: Path) -> None:
    async with below(tmp_path, streams=StreamLimits(heartbeat=0.05)) as running:
        quiet = stream(running, Start(0))
        pieces = [await anext(quiet) for _ in range(3)]

        assert all(piece.startswith(b":") for piece in pieces)


async def test_when_the_router_stops_a_stream_ends_with_a_time_to_come_back(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        await append(running, 1)
        running.environments.end_streams()
        parser = Parser()
        messages = [message async for data in stream(running, Start(0)) for message in parser.feed(data)]

        assert [message.data for message in messages] == ['{"n":0}'], "what is durable is still delivered"
        assert parser.retry is not None
        assert 500 <= parser.retry <= 5000


async def test_open_streams_are_counted(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        streams = Streams(running.services)
        feed = streams.admit(TOKEN, PRODUCTION, ASKED)
        assert streams.open == 0
        async with EventStream(streams, feed, TOKEN):
            assert streams.open == 1
            assert streams.statistics().opened == 1
        assert streams.open == 0


async def test_pages_of_an_allowed_origin_may_read_and_others_may_not(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        client = create_app(running.services, [], Ingest(running.services)).test_client()
        for origin, granted in (("https://shop.example", True), ("https://evil.example", False)):
            headers = {"Origin": origin}
            for answer in (
                await client.get("/events?token=api-1&from=nonsense", headers=headers),
                await client.get("/events?token=api-1&project=default", headers=headers),
            ):
                assert answer.status_code == 400
                assert answer.headers["Vary"] == "Origin"
            preflight = await client.options("/events", headers=headers)
            assert preflight.status_code == 204
            running.unready.clear()
            running.services.drain.begun = True
            stopping = await client.get("/events?token=api-1", headers=headers)
            running.services.drain.begun = False
            assert stopping.status_code == 503
            assert ("Access-Control-Allow-Origin" in stopping.headers) is granted


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/events", {}, 401),
        ("/events", {"Authorization": "Bearer nobody"}, 401),
        ("/events", {"Authorization": "Bearer api-all"}, 400),
        ("/events?project=default&environment=nowhere", {"Authorization": "api-1"}, 403),
        ("/events?from=yesterday", {"Authorization": "api_key api-1"}, 400),
        ("/events", {"Authorization": "api-1", "Last-Event-ID": "x"}, 400),
    ],
)
async def test_what_cannot_be_streamed_is_refused_before_the_stream_begins(
    tmp_path: Path, path: str, headers: dict[str, str], status: int
) -> None:
    async with below(tmp_path) as running:
        client = create_app(running.services, [], Ingest(running.services)).test_client()
        answer = await client.get(path, headers=headers)
        assert answer.status_code == status
        assert json.loads(await answer.get_data()).keys() == {"code", "message"}


async def test_when_all_streams_are_taken_the_next_hears_when_to_come_back(tmp_path: Path) -> None:
    async with below(tmp_path, streams=StreamLimits(most=0)) as running:
        client = create_app(running.services, [], Ingest(running.services)).test_client()
        answer = await client.get("/events", headers={"Authorization": "api-1"})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


async def test_a_browser_that_finds_no_room_is_told_in_a_message(tmp_path: Path) -> None:
    """Its EventSource would give up for good on a 503."""
    async with below(tmp_path, streams=StreamLimits(most=0)) as running:
        client = create_app(running.services, [], Ingest(running.services)).test_client()
        answer = await client.get("/events", headers={"Authorization": "api-1", "Sec-Fetch-Mode": "cors"})
        parser = Parser()
        assert answer.status_code == 200
        assert [message.event for message in parser.feed(bytes(await answer.get_data(as_text=False)))] == ["busy"]
        assert parser.retry is not None


async def test_a_token_may_have_a_limit_of_its_own(tmp_path: Path) -> None:
    async with below(tmp_path, streams=StreamLimits(most_of_token=2)) as running:
        streams = Streams(running.services)
        feeds = [streams.admit(TOKEN, PRODUCTION, ASKED) for _ in range(2)]
        for feed in feeds:
            streams.enter(feed, TOKEN)
        with pytest.raises(NoRoom, match="all 2 streams of the token all"):
            streams.admit(TOKEN, PRODUCTION, ASKED)
        streams.admit(Token("another", frozenset(Scope), None), PRODUCTION, ASKED)
        streams.leave(feeds[0])
        streams.admit(TOKEN, PRODUCTION, ASKED)
        assert streams.statistics().refused == 1


async def test_a_selection_ends_and_comes_as_lines_zipped_when_asked(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        await append(running, 5)
        client = create_app(running.services, [], Ingest(running.services)).test_client()
        headers = {"Authorization": "api-1", "Accept": "application/x-ndjson"}
        plain = await client.get("/events?from=earliest&until=now", headers=headers)
        assert plain.content_type == "application/x-ndjson"
        lines = (await plain.get_data()).splitlines()
        assert [line for line in lines if line] == [b'{"n":%d}' % n for n in range(5)]
        zipped = await client.get("/events?from=earliest&until=now", headers=headers | {"Accept-Encoding": "gzip"})
        assert zipped.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(bytes(await zipped.get_data(as_text=False))).splitlines() == lines


async def test_streams_whose_token_has_lost_its_right_are_ended(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        streams = Streams(running.services)
        one, every = (running.services.keyring().token(secret) for secret in ("api-1", "api-all"))
        assert one is not None
        assert every is not None
        async with (
            EventStream(streams, streams.admit(one, PRODUCTION, ASKED), one) as mine,
            EventStream(streams, streams.admit(every, PRODUCTION, ASKED), every) as others,
        ):
            streams.revoke()
            assert streams.statistics().revoked == 0
            running.services.keyring = lambda: Keyring(tokens=[(every.digest, every)])
            streams.revoke()
            assert streams.statistics().revoked == 1
            assert b"retry:" in await anext(mine)
            assert b"retry:" not in await anext(others)


async def test_a_reload_between_admission_and_the_first_byte_counts(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        streams = Streams(running.services)
        token = running.services.keyring().token("api-1")
        assert token is not None
        feed = streams.admit(token, PRODUCTION, ASKED)
        running.services.keyring = Keyring
        streams.revoke()
        async with EventStream(streams, feed, token) as mine:
            assert b"retry:" in await anext(mine)
