"""Results as Markdown."""

import statistics
from collections.abc import Callable, Sequence

from bench.compare.goals import goals, number
from bench.compare.results import Results

NONE = "–"


def cell(values: Sequence[float], scale: float = 1.0) -> str:
    """The median, and from the least to the most."""
    if not values:
        return NONE
    scaled = [value * scale for value in values]
    if len(scaled) == 1:
        return number(scaled[0])
    return f"{number(statistics.median(scaled))} ({number(min(scaled))} to {number(max(scaled))})"


def grid(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table of Markdown."""
    return "\n".join(
        f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines)
    )  # fmt: skip


def measured(results: Results, measure: str) -> list[str]:
    """The candidates that a measure has figures of."""
    return [name for name in results.candidates if any(name in found for found in results.rows(measure).values())]


def verdicts(results: Results) -> str:
    """What was required, and what became of it."""
    lines = []
    for goal in goals(results):
        sign = "at least" if goal.least else "at most"
        ratio = cell(goal.found) if goal.unit == "times" else NONE
        spread = f" ({number(min(goal.found))} to {number(max(goal.found))})" if len(goal.found) > 1 else ""
        measured = goal.measured if goal.unit == "times" else goal.measured + spread
        lines.append([goal.what, f"{sign} {number(goal.limit)} {goal.unit}", measured, ratio, goal.verdict])
    return grid(["what", "required", "measured", "ratio (spread)", ""], lines)


def by_candidate(
    results: Results, measure: str, columns: Sequence[tuple[str, str, str, float]], *, base: tuple[str, str, bool]
) -> str:
    """A line for each candidate.

    Args:
        columns: head, row, quantity and scale of each.
        base: the row and quantity that the last column compares with the router's, and whether more is better.
    """
    row, quantity, more = base
    names = measured(results, measure)
    lines = []
    for name in names:
        line = [name]
        line += [cell(results.values(measure, at, name, what), scale) for _, at, what, scale in columns]
        one, other = (measure, row, "router", quantity), (measure, row, name, quantity)
        ratios = results.ratio(one, other) if more else results.ratio(other, one)
        line.append(cell(ratios))
        lines.append(line)
    better = "router is better by, times"
    return grid(["", *(head for head, *_ in columns), f"{better} ({row})"], lines)


def publish(results: Results) -> str:
    batches = [row for row in results.rows("publish") if row.isdigit()]
    columns = [(f"events/s, {batch} a post", batch, "events", 1.0) for batch in batches]
    answers = [
        column
        for batch in batches
        for column in (
            (f"p50, {batch} a post, ms", batch, "p50", 1.0),
            (f"p99, {batch} a post, ms", batch, "p99", 1.0),
            (f"p99 at half load, {batch} a post, ms", f"{batch}, half load", "p99", 1.0),
        )
    ]
    return "\n\n".join(
        [
            by_candidate(results, "publish", columns, base=("1", "events", True)),
            by_candidate(results, "publish", answers, base=("1, half load", "p99", False)),
        ]
    )


def deliver(results: Results) -> str:
    rows = [row for row in results.rows("deliver") if row[0].isdigit()]
    columns = [(f"{row.replace(', ', ' readers, ')}", row, "rate", 1.0) for row in rows]
    times = [("p50, ms", "latency", "p50", 1.0), ("p99, ms", "latency", "p99", 1.0)]
    most = [row for row in rows if row.endswith(", 1 a post")][-1:] or ["1, 1 a post"]
    head = "1000, 1 a post" if "1000, 1 a post" in rows else most[0]
    return "\n\n".join(
        [
            "Deliveries/s, until every reader has every event:",
            by_candidate(results, "deliver", columns, base=(head, "rate", True)),
            f"Publish to receive, {results.settings.get('latency_readers')} readers, "
            f"{number(results.settings.get('rate'))} events/s:",
            by_candidate(results, "deliver", times, base=("latency", "p99", False)),
        ]
    )


def memory(results: Results) -> str:
    rows = list(results.rows("memory"))
    columns = [(f"KB a reader, {row} readers", row, "bytes", 1 / 1024) for row in rows]
    columns += [("MB with none", row, "empty", 1e-6) for row in rows[:1]]
    return by_candidate(results, "memory", columns, base=(rows[-1], "bytes", False))


def replay(results: Results) -> str:
    rows = list(results.rows("replay"))
    columns = [(f"events/s, {row}", row, "events", 1.0) for row in rows]
    columns += [("stored events", row, "stored", 1.0) for row in rows[:1]]
    return by_candidate(results, "replay", columns, base=(rows[0], "events", True))


def fsync(results: Results) -> str:
    columns = []
    for row in results.rows("fsync"):
        columns += [(f"events/s, {row} a post", row, "events", 1.0), (f"p99, {row} a post, ms", row, "p99", 1.0)]
    slowest = [row for row in results.rows("fsync") if row.endswith(", 1")][-1]
    return by_candidate(results, "fsync", columns, base=(slowest, "events", True))


def growth(results: Results) -> str:
    units = {"posts": "posts/s", "rate": "/s", "p99": "p99, ms", "events": "events/s", "bytes": "bytes"}
    columns = []
    for row, found in results.rows("growth").items():
        quantities = {name for rounds in found.values() for figures in rounds for name in figures}
        quantity = next(name for name in ("posts", "rate", "bytes", "events", "p99") if name in quantities)
        columns.append((f"{row}, {units[quantity]}", row, quantity, 1.0))
    names = measured(results, "growth")
    lines = [
        [name, *(cell(results.values("growth", row, name, what)) for _, row, what, _ in columns)] for name in names
    ]
    return grid(["", *(head for head, *_ in columns)], lines)


SECTIONS: dict[str, tuple[str, Callable[[Results], str]]] = {
    "publish": ("Events in", publish),
    "deliver": ("Events out", deliver),
    "memory": ("Memory of an idle reader", memory),
    "replay": ("Replay to one reader", replay),
    "growth": ("A long log, many environments", growth),
    "fsync": ("A slower disk", fsync),
}


def page(results: Results) -> str:
    """Everything that was measured."""
    machine = ", ".join(f"{name} {value}" for name, value in results.machine.items())
    settings = results.settings
    parts = [
        f"Measured on: {machine}. {settings.get('rounds')} rounds of {number(settings.get('seconds'))} s each, "
        f"{settings.get('connections')} connections; a figure is the median of the rounds, with the least and the "
        "most; a ratio is the median of each round's own.",
        "### Required and measured",
        verdicts(results),
    ]
    for name, (title, section) in SECTIONS.items():
        if results.rows(name):
            parts += [f"### {title}", section(results)]
    taking = [name for name in results.candidates if any(name in measured(results, measure) for measure in SECTIONS)]
    parts += ["### The candidates", "\n".join(f"- {name}: {results.candidates[name]}." for name in taking)]
    if results.absent:
        parts.append("\n".join(f"- {name}: not found: {what}." for name, what in results.absent.items()))
    if results.failures:
        parts += ["### What failed", "\n".join(f"- {failure}." for failure in results.failures)]
    return "\n\n".join(parts) + "\n"
