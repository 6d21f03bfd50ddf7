"""The dedup window: known exactly when kept, through crashes, bounded in time and in number."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.store.dedup import FAMILY, DedupWindow, Identities, digest
from router.store.engine import Batch, Engine

NOW = 1_700_000_000_000


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine.open(tmp_path)


def window(engine: Engine, *, number: int = 1, seconds: float = 80, now: int = NOW, most: int = 1000) -> DedupWindow:
    return DedupWindow(engine, number, seconds=seconds, now=now, most=most)


def keep(engine: Engine, window: DedupWindow, name: bytes, *, first: int = 0, events: int = 2, now: int = NOW) -> None:
    batch = Batch()
    identities = Identities(digest(name), tuple(digest(b"%b/%d" % (name, n)) for n in range(events)))
    window.stage(batch, now, first, events, identities)
    window.expire(batch, now)
    engine.write(batch)
    window.advance()


def test_a_request_and_its_events_are_known_with_their_offsets(engine: Engine) -> None:
    known = window(engine)
    keep(engine, known, b"a", first=7)

    assert known.request(digest(b"a")) == (7, 8)
    assert known.event(digest(b"a/1")) == 8
    assert known.request(digest(b"b")) is None
    assert known.event(digest(b"a/2")) is None
    assert known.statistics().held == 3


def test_what_is_kept_is_known_after_a_restart_and_to_its_environment_alone(engine: Engine) -> None:
    keep(engine, window(engine), b"a", first=7)

    again = window(engine, now=NOW + 30_000)
    assert (again.request(digest(b"a")), again.event(digest(b"a/0"))) == ((7, 8), 7)
    assert window(engine, number=2).request(digest(b"a")) is None


def test_what_is_staged_is_known_at_once_and_forgotten_when_not_written(engine: Engine) -> None:
    """A retry that arrives in the same group as the first copy finds it; a failed write leaves nothing behind."""
    known = window(engine)
    known.stage(Batch(), NOW, 3, 1, Identities(digest(b"a")))
    assert known.request(digest(b"a")) == (3, 3)
    known.retract()
    assert known.request(digest(b"a")) is None
    assert window(engine).request(digest(b"a")) is None


def test_what_is_older_than_the_window_is_forgotten_in_memory_and_on_disk(engine: Engine) -> None:
    known = window(engine)
    keep(engine, known, b"old")
    keep(engine, known, b"young", now=NOW + 70_000)
    keep(engine, known, b"new", now=NOW + 100_000)

    assert known.request(digest(b"old")) is None
    assert known.request(digest(b"young")) is not None
    assert len(list(engine.family(FAMILY).scan(b""))) == 2
    assert window(engine, now=NOW + 170_000).request(digest(b"young")) is None


def test_the_number_is_bounded_and_the_oldest_go_first(engine: Engine) -> None:
    known = window(engine, most=80)
    for n in range(200):
        keep(engine, known, b"%d" % n, events=0)

    statistics = known.statistics()
    assert statistics.held <= 80
    assert statistics.crowded_out == 200 - statistics.held
    assert known.request(digest(b"199")) is not None
    assert known.request(digest(b"0")) is None


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9_000)), max_size=40))
def test_nothing_within_the_window_is_ever_forgotten(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]]
) -> None:
    """Any sequence of requests and pauses: known whenever its last keeping is younger than the window."""
    engine = Engine.open(tmp_path_factory.mktemp("dedup"))
    known = window(engine, seconds=20)
    now, kept = NOW, dict[int, int]()
    for name, pause in steps:
        now += pause
        for other, at in kept.items():
            if now - at <= 20_000:
                assert known.request(digest(b"%d" % other)) is not None
        keep(engine, known, b"%d" % name, now=now)
        kept[name] = now
    engine.close()
