"""What is known of a flag: kept, bounded, and the same however the traffic was cut into batches."""

from hypothesis import given
from hypothesis import strategies as st

from router.store.engine import Batch, Engine
from router.store.flags import BREAK, MOST_APPLICATIONS, MOST_EXPERIMENTS, MOST_ITERATIONS, STEP, Flag, Flags

MINUTE = 29_000_080


def test_a_flag_is_kept(engine: Engine) -> None:
    flags = Flags(engine, 1)
    for name in ("a", "b"):
        flag = flags.get(name)
        flag.newest = 7
        flag.saw(MINUTE, "shop")
        flag.experimented("trial", MINUTE)
        batch = Batch()
        flags.put(batch, flag)
        engine.write(batch)
    flags.forget()
    assert flags.get("a") == Flag("a", 7, MINUTE - 40, {"shop": MINUTE - 40}, {"trial": [[MINUTE, MINUTE]]})
    assert [flag.name for flag in flags.each()] == ["a", "b"]
    assert [flag.name for flag in flags.each("a")] == ["b"]
    assert list(Flags(engine, 2).each()) == []


def test_blank_flags_share_nothing(engine: Engine) -> None:
    flags = Flags(engine, 1)
    flags.get("a").saw(MINUTE, "shop")
    flags.get("a").experimented("trial", MINUTE)
    assert flags.get("b") == Flag("b")


def test_a_dropped_flag_is_gone(engine: Engine) -> None:
    flags = Flags(engine, 1)
    for change in (flags.put, flags.drop):
        flag = flags.get("a")
        flag.newest = 7
        batch = Batch()
        change(batch, flag)
        engine.write(batch)
    assert flags.get("a").newest is None


def test_traffic_is_worth_writing_once_in_a_step() -> None:
    flag = Flag("a")
    assert flag.saw(MINUTE, "shop")
    assert not flag.saw(MINUTE + 1, "shop")
    assert flag.saw(MINUTE + 1, "lab")
    assert flag.saw(MINUTE + STEP, None)
    assert not flag.saw(MINUTE, "shop")


@given(st.lists(st.tuples(st.integers(0, 500), st.sampled_from((None, "shop", "lab"))), max_size=20))
def test_the_order_of_traffic_does_not_matter(seen: list[tuple[int, str | None]]) -> None:
    one, other = Flag("a"), Flag("a")
    for minute, application in seen:
        one.saw(minute, application)
    for minute, application in sorted(seen, key=repr):
        other.saw(minute, application)
    assert one == other


def test_the_application_that_was_quiet_longest_makes_room() -> None:
    flag = Flag("a")
    for number in range(MOST_APPLICATIONS + 1):
        flag.saw(number * STEP, f"app-{number}")
    assert len(flag.applications) == MOST_APPLICATIONS
    assert "app-0" not in flag.applications


def test_an_iteration_ends_with_a_break() -> None:
    flag = Flag("a")
    assert flag.experimented("trial", MINUTE)
    assert not flag.experimented("trial", MINUTE)
    assert flag.experimented("trial", MINUTE + BREAK)
    assert flag.experimented("trial", MINUTE + 2 * BREAK + 1)
    assert flag.experiments == {"trial": [[MINUTE, MINUTE + BREAK], [MINUTE + 2 * BREAK + 1] * 2]}
    assert flag.experiments_at(MINUTE - 10, 10) == [("trial", [MINUTE, MINUTE + BREAK])]
    assert flag.experiments_at(MINUTE - 11, 10) == []
    assert [key for key, _ in flag.experiments_at(MINUTE + BREAK + 5, 10)] == ["trial"]


def test_experiments_are_bounded() -> None:
    flag = Flag("a")
    for number in range(MOST_EXPERIMENTS + 5):
        flag.experimented(f"trial-{number}", MINUTE)
    for number in range(MOST_ITERATIONS + 5):
        flag.experimented("trial-0", MINUTE + number * 2 * (BREAK + 1))
    assert len(flag.experiments) == MOST_EXPERIMENTS
    assert len(flag.experiments["trial-0"]) == MOST_ITERATIONS
