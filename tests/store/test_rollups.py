"""Rows, sketches and the position: what is added is there after a restart, and only when its batch was written."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.store import rollups
from router.store.engine import Batch, Engine
from router.store.rollups import (
    EVALUATION,
    MOST_SKETCHES,
    MOST_VARIATIONS,
    OTHERS,
    Amount,
    Position,
    Rollups,
    Row,
    Seen,
    Variation,
    flag_key,
)
from router.store.sketches import distinct

MINUTE = 29_000_080  # the 40th minute of some hour
ANY = 2**31


def row(**counts: int) -> Row:
    return {Variation(EVALUATION, None, None, name.encode()): Amount(n, {7: n}) for name, n in counts.items()}


class Written:
    """Rollups over an engine, each call a batch of its own."""

    def __init__(self, engine: Engine, number: int = 1) -> None:
        self.engine = engine
        self.rollups = Rollups(engine, number)

    def add(self, flag: str, minute: int, **counts: int) -> None:
        batch = Batch()
        self.rollups.add(batch, flag, minute, row(**counts))
        self.engine.write(batch)
        self.rollups.trim()

    def see(self, flag: str, minute: int, seen: Seen, names: Iterable[str]) -> None:
        batch = Batch()
        self.rollups.see(batch, flag, minute, {seen: names})
        self.engine.write(batch)
        self.rollups.trim()

    def totals(self, flag: str, first: int = 0, end: int = ANY) -> dict[int, dict[bytes, int]]:
        return {
            minute: {variation.value: amount.events for variation, amount in found.items()}
            for minute, found in self.rollups.rows(flag, first, end)
        }

    def estimates(self, flag: str) -> dict[tuple[int, Seen], int]:
        return {(minute, seen): distinct([sketch]) for minute, seen, sketch in self.rollups.sketches(flag, 0, ANY)}


@pytest.fixture
def written(engine: Engine) -> Written:
    return Written(engine)


@pytest.mark.parametrize("forget", [False, True], ids=["in memory", "from disk"])
def test_what_is_added_adds_up(written: Written, forget: bool) -> None:
    for minute in (MINUTE, MINUTE + 1, MINUTE):
        written.add("a", minute, red=2, blue=1)
        if forget:
            written.rollups.forget()
    assert written.totals("a") == {MINUTE: {b"red": 4, b"blue": 2}, MINUTE + 1: {b"red": 2, b"blue": 1}}
    ((hour, counted),) = written.rollups.hours("a", 0, ANY)
    assert hour == MINUTE - 40
    assert {variation.value: amount.total for variation, amount in counted.items()} == {b"red": 6, b"blue": 3}


def test_a_range_has_its_first_minute_and_not_its_end(written: Written) -> None:
    for minute in range(MINUTE, MINUTE + 5):
        written.add("a", minute, red=1)
    for _ in range(2):
        assert sorted(written.totals("a", MINUTE + 1, MINUTE + 3)) == [MINUTE + 1, MINUTE + 2]
        written.rollups.forget()


@given(st.lists(st.text(max_size=4), unique=True, min_size=2, max_size=6))
def test_no_flags_key_goes_on_after_anothers(flags: list[str]) -> None:
    keys = [flag_key(flag) for flag in flags]
    assert not any(one.startswith(other) for one in keys for other in keys if one is not other)


def test_flags_and_environments_do_not_mix(engine: Engine) -> None:
    one, other = Written(engine, 1), Written(engine, 2)
    one.add("a", MINUTE, red=1)
    one.add("a\0", MINUTE, red=2)
    one.add("ab", MINUTE, red=3)
    other.add("a", MINUTE, red=4)
    one.rollups.forget()
    assert one.totals("a") == {MINUTE: {b"red": 1}}
    assert one.totals("a\0") == {MINUTE: {b"red": 2}}
    assert other.totals("a") == {MINUTE: {b"red": 4}}


def test_without_its_batch_nothing_was_added(written: Written) -> None:
    written.add("a", MINUTE, red=1)
    batch = Batch()
    written.rollups.add(batch, "a", MINUTE, row(red=1))
    written.rollups.see(batch, "a", MINUTE, {Seen(1, 0, b""): ["u"]})
    written.rollups.forget()
    assert written.totals("a") == {MINUTE: {b"red": 1}}
    assert written.estimates("a") == {}


def test_values_beyond_the_most_are_counted_together(written: Written) -> None:
    for number in range(MOST_VARIATIONS + 5):
        written.add("a", MINUTE, **{f"v{number}": 1})
    (counts,) = written.totals("a").values()
    assert len(counts) == MOST_VARIATIONS + 1
    assert counts[OTHERS] == 5


def test_contexts_are_counted_once(written: Written) -> None:
    red, blue = Seen(1, 0, b""), Seen(1, 1, b"")
    written.see("a", MINUTE, red, ["u-1", "u-2"])
    written.see("a", MINUTE, red, ["u-2", "u-3"])
    written.rollups.forget()
    written.see("a", MINUTE, red, ["u-3"])
    written.see("a", MINUTE, blue, ["u-1"])
    for _ in range(2):
        assert written.estimates("a") == {(MINUTE, red): 3, (MINUTE, blue): 1}
        written.rollups.forget()


def test_sketches_beyond_the_most_are_one(written: Written) -> None:
    for number in range(MOST_SKETCHES + 3):
        written.see("a", MINUTE, Seen(number, 0, b""), [f"u-{number}"])
    estimates = written.estimates("a")
    assert len(estimates) == MOST_SKETCHES + 1
    assert estimates[MINUTE, Seen(None, None, OTHERS)] == 3


@pytest.mark.parametrize("count", [10, 1000, 3000, 20_000, 100_000])
def test_a_union_of_sketches_is_within_three_percent(written: Written, count: int) -> None:
    for part in range(4):
        names = [f"user:u-{number}" for number in range(count) if number % 4 != part]
        written.see("a", MINUTE + part, Seen(1, 0, b""), names)
    found = distinct([sketch for _, _, sketch in written.rollups.sketches("a", 0, ANY)])
    assert abs(found - count) <= 0.03 * count


def test_old_rows_expire_and_hours_when_they_have_ended(written: Written) -> None:
    begin = MINUTE - 40
    for minute in (begin - 1, begin, MINUTE - 1, MINUTE):
        written.add("a", minute, red=1)
        written.see("a", minute, Seen(1, 0, b""), ["u"])
    batch = Batch()
    written.rollups.expire(batch, "a", MINUTE)
    written.engine.write(batch)
    written.rollups.forget()
    assert list(written.totals("a")) == [MINUTE]
    assert [minute for minute, _ in written.rollups.hours("a", 0, ANY)] == [begin]
    assert [minute for minute, _ in written.estimates("a")] == [MINUTE]


def test_clearing_from_an_hour_on_leaves_what_is_before(written: Written) -> None:
    hour = MINUTE - 40
    for minute in (hour - 1, hour, MINUTE):
        written.add("a", minute, red=1)
    batch = Batch()
    written.rollups.clear(batch, "a", hour)
    written.engine.write(batch)
    assert list(written.totals("a")) == [hour - 1]
    assert [minute for minute, _ in written.rollups.hours("a", 0, ANY)] == [hour - 60]


def test_clearing_all_leaves_other_environments_and_the_position(engine: Engine) -> None:
    one, other = Written(engine, 1), Written(engine, 2)
    for each in (one, other):
        each.add("a", MINUTE, red=1)
    batch = Batch()
    one.rollups.clear_all(batch)
    one.rollups.move(batch, Position(3))
    engine.write(batch)
    assert one.totals("a") == {}
    assert one.rollups.position() == Position(3)
    assert list(other.totals("a")) == [MINUTE]


def test_the_position_is_kept(written: Written, tmp_path: Path) -> None:
    assert written.rollups.position() == Position()
    batch = Batch()
    written.rollups.move(batch, Position(2**40, 2**41, 17))
    written.engine.write(batch)
    assert Rollups(written.engine, 1).position() == Position(2**40, 2**41, 17)


def test_no_more_is_held_than_is_worth_it(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "HOT", 3)
    monkeypatch.setattr(rollups, "HOT_SKETCHES", 3)
    for number in range(10):
        written.add("a", MINUTE + number, red=1)
        written.see("a", MINUTE + number, Seen(1, 0, b""), ["u"])
    assert written.rollups.statistics().hot == 3
    assert len(written.totals("a")) == 10
    assert len(written.estimates("a")) == 10
    assert written.rollups.statistics().rows == 20
