"""What is required of the router, beside what was measured."""

import statistics
from dataclasses import dataclass

from bench.compare.results import Results

ROUTER, PLAIN, NCHAN = "router", "plain route", "nchan"
FULL, WIDE = "full log", "many environments"
GROWTH = {  # row: (quantity, whether more is better)
    "posts of 1": ("posts", True),
    "posts of 50": ("posts", True),
    "deliveries": ("rate", True),
    "latency": ("p99", False),
    "replay": ("events", True),
    "memory": ("bytes", False),
}


@dataclass(frozen=True)
class Goal:
    """One requirement.

    Attributes:
        what: in words.
        limit: the figure required.
        least: whether more than `limit` is better, or less.
        unit: of `limit`; "times" for a ratio.
        found: the figure of every round; none when it was not measured.
        measured: the figures behind a ratio, in words.
    """

    what: str
    limit: float
    least: bool
    unit: str
    found: list[float]
    measured: str

    @property
    def figure(self) -> float | None:
        """What counts: the median."""
        return statistics.median(self.found) if self.found else None

    @property
    def met(self) -> bool | None:
        """None when it was not measured."""
        if self.figure is None:
            return None
        return self.figure >= self.limit if self.least else self.figure <= self.limit

    @property
    def verdict(self) -> str:
        """Met or missed, and by how much."""
        if self.figure is None:
            return "not measured"
        better = self.figure / self.limit if self.least else self.limit / self.figure if self.figure > 0 else 1.0
        if self.met:
            return f"met ({better:.2f} times as good)"
        if self.least:
            return f"missed by {(1 - better) * 100:.0f} %"
        return f"missed: {number(self.figure / self.limit)} times what is allowed"


def number(value: float | None) -> str:
    """A figure to three digits or whole."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def goals(results: Results) -> list[Goal]:
    """All of them, in order."""
    idle = rows(results, "memory")[-1:] or ["5000"]
    readers = "1000" if "1000, 1 a post" in results.rows("deliver") else last(results)

    def against(
        what: str, limit: float, first: tuple[str, ...], second: tuple[str, ...], *, least: bool = True
    ) -> Goal:
        one, other = results.median(*first), results.median(*second)
        words = f"{number(one)} against {number(other)}"
        return Goal(what, limit, least, "times", results.ratio(first, second), words)  # type: ignore[arg-type]

    def alone(what: str, limit: float, unit: str, where: tuple[str, str, str, str], *, least: bool) -> Goal:
        return Goal(what, limit, least, unit, results.values(*where), f"{number(results.median(*where))} {unit}")

    found = [
        against(
            "durable posts/s of 1 event, against the plain route", 8,
            ("publish", "1", ROUTER, "posts"), ("publish", "1", PLAIN, "posts"),
        ),
        against(
            "durable events/s at 50 a post, against nchan's publishes/s in memory", 2,
            ("publish", "50", ROUTER, "events"), ("publish", "1", NCHAN, "events"),
        ),
        alone("ack p99 at half of that load", 10, "ms", ("publish", "50, half load", ROUTER, "p99"), least=False),
        against(
            f"deliveries/s to {readers} readers, 1 event a post, against nchan", 1.5,
            ("deliver", f"{readers}, 1 a post", ROUTER, "rate"), ("deliver", f"{readers}, 1 a post", NCHAN, "rate"),
        ),
        against(
            f"bytes of memory per idle reader, {idle[0]} of them, against nchan", 0.4,
            ("memory", idle[0], ROUTER, "bytes"), ("memory", idle[0], NCHAN, "bytes"), least=False,
        ),
        alone(
            "publish-to-receive p99, 100 events/s", 50, "ms", ("deliver", "latency", ROUTER, "p99"), least=False
        ),
        alone(
            "replay of stored events to one reader", 1_000_000, "events/s",
            ("replay", "server-sent events", ROUTER, "events"), least=True,
        ),
    ]  # fmt: skip
    return found + [goal for state in (FULL, WIDE) for goal in grown(results, state)]


def grown(results: Results, state: str) -> list[Goal]:
    """Every figure of a state of the router against that of an empty one with one environment: at least 0.9 of it."""
    found = []
    for pattern, (quantity, more) in GROWTH.items():
        row = next((row for row in results.rows("growth") if row.startswith(pattern)), pattern)
        state_at, base_at = ("growth", row, state, quantity), ("growth", row, ROUTER, quantity)
        ratios = results.ratio(state_at, base_at) if more else results.ratio(base_at, state_at)
        words = f"{number(results.median(*state_at))} against {number(results.median(*base_at))}"
        name = row if more else f"{row} (the inverse, less is better)"
        found.append(Goal(f"{state}: {name}", 0.9, True, "times", ratios, words))
    return found


def rows(results: Results, measure: str) -> list[str]:
    """Row names of a measure, by number where they are numbers."""
    return sorted(results.rows(measure), key=lambda row: int(row) if row.isdigit() else 0)


def last(results: Results) -> str:
    """The most readers that were delivered to."""
    numbers = [int(row.partition(",")[0]) for row in results.rows("deliver") if row[0].isdigit()]
    return str(max(numbers, default=1000))
