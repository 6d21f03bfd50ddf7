"""What a change did: shares of the values before and after it, and how far apart they are."""

from collections.abc import Iterable
from typing import Final

from router.store.changes import Impact, Served
from router.store.rollups import EVALUATION, EXPOSURE, MINUTE, Row, Seen
from router.store.sketches import Sketch, distinct

WINDOW: Final = 600  # seconds before and after (protocols/launchdarkly.md 4.2)
UNCERTAIN: Final = 60  # seconds around a change in which a version tells better than a time
SMALL: Final = 20.0
LARGE: Final = 80.0
MOST_SERVED: Final = 100  # values that are listed

REASONS: Final = {EVALUATION: "evaluations", EXPOSURE: "exposures"}


def minutes(time: int) -> tuple[int, int]:
    """First minute, and the one after the last, that an impact at `time`, unix ms, is computed from."""
    second = time // 1000
    return (second - WINDOW) // MINUTE, (second + WINDOW) // MINUTE + 1


def is_complete(time: int, now: int) -> bool:
    """Whether the window after a change at `time` has passed at `now`, both unix ms."""
    return now >= time + WINDOW * 1000


def assess(
    time: int,
    version: int | None,
    rows: Iterable[tuple[int, Row]],
    sketches: Iterable[tuple[int, Seen, Sketch]] = (),
) -> Impact:
    """The impact of a change at `time`, unix ms; `version` is the flag's since then, where that is known.

    rows, sketches: of at least the minutes that `minutes` names.
    """
    at = time // 1000
    counts: dict[str, dict[bytes, list[float]]] = {}
    values: dict[tuple[int | None, int | None], bytes] = {}
    for minute, row in rows:
        for variation, amount in row.items():
            if variation.number is not None:
                values[variation.version, variation.number] = variation.value
            pair = counts.setdefault(variation.of, {}).setdefault(variation.value, [0, 0])
            for second, number in amount.seconds.items():
                side = _side(minute * MINUTE + second, at, variation.version, version)
                if side is not None:
                    pair[side] += number
    counted = {of: {value: pair for value, pair in pairs.items() if any(pair)} for of, pairs in counts.items()}
    of = EVALUATION if counted.get(EVALUATION) else EXPOSURE
    pairs = counted.get(of, {})
    if not pairs:
        return Impact()
    contexts = _contexts(at, version, sketches, values)
    served = tuple(
        Served(value, round(before), round(after), *contexts.get(value, (None, None)))
        for value, (before, after) in sorted(pairs.items())
    )
    before = sum(pair[0] for pair in pairs.values())
    after = sum(pair[1] for pair in pairs.values())
    if not before or not after:
        return Impact(served=_largest(served))
    distance = distance_of(list(pairs.values()), before, after)
    return Impact(size_of(distance), distance, REASONS[of], _largest(served))


def distance_of(pairs: list[list[float]], before: float, after: float) -> float:
    """Total variation distance of the shares before and after, × 100, to two places."""
    return round(50 * sum(abs(pair[1] / after - pair[0] / before) for pair in pairs), 2)


def size_of(percentage: float) -> str:
    """none is 0; small less than 20; medium 20 to 80; large more than 80 (protocols/launchdarkly.md 4.1)."""
    if percentage <= 0:
        return "none"
    if percentage < SMALL:
        return "small"
    return "medium" if percentage <= LARGE else "large"


def _side(second: int, at: int, version: int | None, new: int | None) -> int | None:
    """0 before, 1 after, None outside of both windows."""
    if not at - WINDOW <= second < at + WINDOW:
        return None
    if version is not None and new is not None and abs(second - at) <= UNCERTAIN:
        return int(version >= new)
    return int(second >= at)


def _contexts(
    at: int,
    version: int | None,
    sketches: Iterable[tuple[int, Seen, Sketch]],
    values: dict[tuple[int | None, int | None], bytes],
) -> dict[bytes, tuple[int, int]]:
    """Distinct contexts by value. A sketch is of a whole minute, so one that the change is in counts by its version, or
    else by where most of the minute is."""
    found: dict[bytes, tuple[list[Sketch], list[Sketch]]] = {}
    for minute, seen, sketch in sketches:
        side = _side(minute * MINUTE + MINUTE // 2, at, seen.version, version)
        value = seen.value or values.get((seen.version, seen.number), b"")
        if side is not None and value:
            found.setdefault(value, ([], []))[side].append(sketch)
    return {value: (distinct(before), distinct(after)) for value, (before, after) in found.items()}


def _largest(served: tuple[Served, ...]) -> tuple[Served, ...]:
    if len(served) <= MOST_SERVED:
        return served
    return tuple(sorted(served, key=lambda each: -(each.before + each.after))[:MOST_SERVED])
