"""Changes that webhooks tell of and changes that the traffic shows: each change once, whichever comes first."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from router.changes import OBSERVED, Change
from router.pipeline import insights
from router.pipeline.counting import Tally
from router.pipeline.insights import Insights
from router.records import Entry
from router.store.engine import Batch, Engine
from router.store.rollups import Position
from tests.pipeline import traffic
from tests.pipeline.traffic import NAME, START, change, feature, launchdarkly

DAY = 86_400_000


class Books:
    """Insights over a store of their own."""

    def __init__(self, path: Path) -> None:
        self.engine = Engine.open(path)
        self.insights = Insights(NAME, self.engine, 1, None)

    def fold(self, *entries: Entry) -> None:
        """Work the entries in, each by itself."""
        for entry in entries:
            tally = Tally()
            tally.add(entry)
            batch = Batch()
            position = Position(self.insights.position.offset + 1)
            for _ in self.insights.apply(tally, position, batch):
                pass
            self.engine.write(batch)
            self.insights.advance(position)

    def changes(self) -> list[Change]:
        places = self.insights.changes.between(0, 2**60)
        records = [self.insights.changes.record(place.id) for place in places]
        return [record.change for record in records if record is not None]


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    made = Books(tmp_path / "db")
    yield made
    made.engine.close()


def seen(version: int, seconds: float = 0, flag: str = "a") -> Entry:
    return launchdarkly([feature(flag, START + round(seconds * 1000), 1, version, "u")], schema=4)


def told(number: int, seconds: float = 0, version: int | None = None) -> Entry:
    return change("a", START + round(seconds * 1000), number, version)


def test_the_first_version_of_a_flag_comes_from_no_change(books: Books) -> None:
    books.fold(seen(16), seen(16, 5), seen(12, 6))
    assert books.changes() == []


def test_a_newer_version_is_a_change(books: Books) -> None:
    books.fold(seen(16), seen(17, 30), seen(16, 31), seen(17, 32))
    (found,) = books.changes()
    assert (found.type, found.time, found.version, found.source) == (OBSERVED, START + 30_000, 17, "traffic")


@pytest.mark.parametrize(
    "order",
    [
        (seen(16), told(1, 10), seen(17, 12)),
        (seen(16), seen(17, 12), told(1, 10)),
        (seen(16), told(1, 10), told(1, 10), seen(17, 12), told(1, 10)),
        (seen(16), seen(17, 12), told(1, 10, version=17), told(1, 10, version=17)),
        (seen(16), told(1, 10, version=17), seen(17, 12)),
        (seen(16), seen(17, 9.5), told(1, 10)),
    ],
    ids=["webhook first", "webhook last", "again and again", "with its version", "version first", "clocks differ"],
)
def test_a_change_told_and_seen_is_one(books: Books, order: tuple[Entry, ...]) -> None:
    books.fold(*order)
    (found,) = books.changes()
    assert (found.type, found.time, found.version) == ("updated_rules", START + 10_000, 17)


def test_an_event_keeps_its_id_and_takes_the_webhooks_as_another(books: Books) -> None:
    books.fold(seen(16), seen(17, 12))
    (before,) = books.changes()
    books.fold(told(1, 10))
    (after,) = books.changes()
    assert after.id == before.id
    entry = told(1, 10)
    assert entry.events[0].attributes is not None
    assert books.insights.changes.record(entry.events[0].attributes["id"]) is not None


def test_several_changes_before_the_sdk_hears_of_them(books: Books) -> None:
    books.fold(seen(16), told(1, 10), told(2, 11), told(3, 12), seen(19, 15))
    assert [found.version for found in books.changes()] == [17, 18, 19]


def test_a_change_long_before_is_not_what_the_traffic_shows(books: Books) -> None:
    books.fold(seen(16), told(1, 10), seen(17, 10 + 601))
    assert [(found.type, found.version) for found in books.changes()] == [("updated_rules", None), (OBSERVED, 17)]


def test_newer_and_newer_versions_are_one_change(books: Books) -> None:
    """Whoever holds a public key could otherwise make as many changes as an integer has values."""
    books.fold(*(seen(version, version * 0.5) for version in range(1, 40)))
    (found,) = books.changes()
    assert (found.time, found.version) == (START + 1000, 39)
    books.fold(seen(40, 100))
    assert [found.version for found in books.changes()] == [39, 40]


def test_flags_are_bounded(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(insights, "MOST_FLAGS", 3)
    trial = {"reason": {"kind": "FALLTHROUGH", "inExperiment": True}}
    events = [feature(flag, START, 1, 1, "u", **trial) for flag in "abcde"]
    for _ in range(2):
        books.fold(launchdarkly(events, schema=1))
        books.insights.reset()
    statistics = books.insights.statistics()
    assert (statistics.flags, statistics.crowded_out) == (3, 4)
    assert [flag.name for flag in books.insights.flags.each()] == ["a", "b", "c"]
    assert [len(list(books.insights.rollups.rows(flag, 0, 2**31))) for flag in "abcde"] == [1, 1, 1, 0, 0]


def test_flags_are_told_apart(books: Books) -> None:
    books.fold(seen(16), seen(1, flag="b"), told(1, 10), seen(2, 12, flag="b"))
    assert sorted((found.flag, found.type) for found in books.changes()) == [("a", "updated_rules"), ("b", OBSERVED)]


def test_an_impact_grows_with_the_traffic(books: Books) -> None:
    def size() -> str | None:
        (place,) = books.insights.changes.between(0, 2**60)
        return place.size

    summaries = [
        launchdarkly([traffic.summary(START + at, START + at, {("a", index, 1): 10})], schema=4)
        for at, index in ((-60_000, 0), (60_000, 1), (120_000, 0))
    ]
    books.fold(change("a", START, 1))
    assert size() is None
    books.fold(summaries[0])
    assert size() is None
    books.fold(summaries[1])
    assert size() == "large"
    books.fold(summaries[2])
    assert size() == "medium"
    books.insights.reset()
    assert size() == "medium"


def test_a_sweep_deletes_what_is_too_old(books: Books) -> None:
    old = START - 100 * DAY
    books.fold(
        change("a", old, 1),
        change("a", START, 2),
        launchdarkly([traffic.summary(old, old, {("gone", 0, 1): 1, ("a", 0, 1): 1})], schema=4),
        launchdarkly([traffic.summary(START, START, {("a", 0, 1): 1})], schema=4),
    )
    books.insights.age = 90 * 86_400
    batch = Batch()
    assert books.insights.sweep(START, "", batch) == ""
    books.engine.write(batch)
    books.insights.changes.advance()
    books.insights.reset()
    assert [found.time for found in books.changes()] == [START]
    assert [minute for minute, _ in books.insights.rollups.rows("a", 0, 2**31)] == [START // 60_000]
    assert [minute for minute, _ in books.insights.rollups.hours("a", 0, 2**31)] == [START // 60_000]
    assert list(books.insights.rollups.rows("gone", 0, 2**31)) == []
    assert [flag.name for flag in books.insights.flags.each()] == ["a"]


def test_a_sweep_goes_in_steps(books: Books) -> None:
    counts = {(f"flag-{number:03}", 0, 1): 1 for number in range(250)}
    books.fold(launchdarkly([traffic.summary(START, START, counts)], schema=4))
    books.insights.age = 90 * 86_400
    after = books.insights.sweep(START, "", Batch())
    assert after == "flag-199"
    assert books.insights.sweep(START, after, Batch()) == ""


def test_statistics(books: Books) -> None:
    books.fold(seen(16), told(1, 10))
    statistics = books.insights.statistics()
    assert (statistics.offset, statistics.changes, statistics.sketches) == (2, 1, 1)
