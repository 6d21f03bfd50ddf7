"""What a stream can be asked for, and what is refused before it begins."""

from pathlib import Path

import pytest

from router.http.stream_query import Asked, Start, begin, moment, parse
from router.names import Cursor
from router.pipeline.filters import EVERYTHING, Filter
from router.pipeline.frames import CLOUDEVENTS, RAW, RAW_LINES
from router.pipeline.ledger import Append
from router.store.threads import Threads
from tests.http.conftest import PRODUCTION, Below, below
from tests.pipeline.conftest import body


def test_nothing_asked_for_is_everything_from_now_on() -> None:
    assert parse({}, {}) == Asked(EVERYTHING, RAW)


def test_everything_that_can_be_asked_for() -> None:
    query = {
        "kind": ["summary,custom"],
        "name": ["purchase"],
        "flag": ["a,b", "c"],
        "context": ["user:u,1"],
        "dialect": ["statsig"],
        "from": ["earliest"],
        "until": ["2026-01-01"],
        "format": ["cloudevents"],
        "consumer": ["warehouse"],
        "token": ["t"],
        "project": ["p"],
        "environment": ["e"],
        "_": ["17"],
    }
    wanted = Filter(
        frozenset({"summary", "custom"}),
        frozenset({"purchase"}),
        frozenset("abc"),
        frozenset({"user:u", "1"}),
        frozenset({"statsig"}),
    )

    found = parse(query, {"last-event-id": "abcdefgh-1", "accept-encoding": "br, gzip"})

    assert found == Asked(wanted, CLOUDEVENTS, "abcdefgh-1", "earliest", "2026-01-01", "warehouse", gzip=True)


@pytest.mark.parametrize(
    ("accept", "lines"),
    [
        ("application/x-ndjson", True),
        ("application/x-ndjson;q=0.9", True),
        ("text/event-stream, application/x-ndjson", False),
        ("*/*", False),
    ],
)
def test_lines_are_given_to_who_asks_for_them_alone(accept: str, lines: bool) -> None:
    found = parse({}, {"accept": accept})
    assert found.lines is lines
    assert found.style is (RAW_LINES if lines else RAW)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"flags": ["x"]}, "no parameter 'flags'"),
        ({"kind": ["sumary"]}, "no kind 'sumary'"),
        ({"kind": [""]}, "kind is empty"),
        ({"flag": [",".join(map(str, range(1001)))]}, "1000 are the most"),
        ({"format": ["avro"]}, "raw or cloudevents"),
        ({"until": ["later"]}, "until is 'later'"),
        ({"from": ["1", "2"]}, "given 2 times"),
        ({"consumer": ["a b"]}, "cannot be a consumer's name"),
    ],
)
def test_what_cannot_be_is_named(query: dict[str, list[str]], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(query, {})


async def append(running: Below, count: int) -> None:
    await running.environments[PRODUCTION].mailbox.ask(Append(body(count), count), timeout=5)


async def test_places_to_begin(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        await append(running, 3)
        environment = running.environments[PRODUCTION]
        epoch = environment.log.epoch
        arrived = running.services.clock.now()

        def at(start: str = "latest", last: str | None = None, consumer: str | None = None) -> Start:
            return begin(environment, Asked(EVERYTHING, RAW, last, start, consumer=consumer))

        assert at() == Start(3)
        assert at("earliest") == Start(0)
        assert at(f"{epoch}-1") == Start(2)
        assert at(str(arrived)) == Start(0)
        assert at(str(arrived + 1)) == Start(3)
        assert at(last=f"{epoch}-0") == Start(1), "Last-Event-ID wins over from"
        assert at("abcdefgh-1") == Start(0, "abcdefgh-1"), "another epoch"
        assert at(f"{epoch}-7") == Start(0, f"{epoch}-7"), "beyond the end"
        assert at("earliest", consumer="c") == Start(0), "from holds while a consumer has acknowledged nothing"
        await environment.consumers.ack("c", str(Cursor(epoch, 1)), Threads())
        assert at("earliest", consumer="c") == Start(2)
        assert at("latest", f"{epoch}-0", "c") == Start(1), "Last-Event-ID wins over both"
        with pytest.raises(ValueError, match="no cursor"):
            at("yesterday")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1700000000000", 1_700_000_000_000),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000),
        ("2023-11-14T23:13:20.500+01:00", 1_700_000_000_500),
        ("2023-11-14T22:13:20", 1_700_000_000_000),
        ("2023-11-14", 1_699_920_000_000),
        ("9" * 40, 2**63 - 1),
        ("soon", None),
        ("-5", None),
    ],
)
def test_a_time_is_milliseconds_or_iso_8601(text: str, expected: int | None) -> None:
    assert moment(text) == expected
