"""What figures come to: medians, ratios, verdicts, tables, drawings."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.compare.document import BEGIN, END, placed
from bench.compare.goals import Goal, goals
from bench.compare.plot import plot
from bench.compare.results import Results
from bench.compare.table import page


@pytest.fixture
def results() -> Results:
    """Three rounds of some measures, in which the machine doubles its speed after the first."""
    made = Results()
    made.candidates = {"router": "the router", "plain route": "the same", "nchan": "nginx"}
    made.settings = {"rounds": 3, "seconds": 1.0, "connections": 64, "rate": 100.0, "latency_readers": 1000}
    for turn, speed in enumerate((1.0, 2.0, 2.0)):
        made.add("publish", "1", "router", turn, {"posts": 9_000 * speed, "events": 9_000 * speed, "p99": 4.0})
        made.add("publish", "1", "plain route", turn, {"posts": 1_000 * speed, "events": 1_000 * speed, "p99": 9.0})
        made.add("publish", "1", "nchan", turn, {"posts": 40_000 * speed, "events": 40_000 * speed, "p99": 2.0})
        made.add("publish", "50", "router", turn, {"posts": 1_200 * speed, "events": 60_000 * speed, "p99": 8.0})
        made.add("publish", "50, half load", "router", turn, {"posts": 600 * speed, "p99": 8.0})
        made.add("memory", "5000", "router", turn, {"bytes": 2_000.0, "empty": 7e7})
        made.add("memory", "5000", "nchan", turn, {"bytes": 10_000.0, "empty": 4e7})
        made.add("deliver", "latency", "router", turn, {"p50": 20.0, "p99": 75.0, "max": 80.0})
        made.add("growth", "posts of 1", "router", turn, {"posts": 9_000 * speed})
        made.add("growth", "posts of 1", "full log", turn, {"posts": 7_200 * speed})
        made.add("growth", "memory", "router", turn, {"bytes": 2_000.0})
        made.add("growth", "memory", "full log", turn, {"bytes": 2_000.0})
    return made


def verdict(results: Results, beginning: str) -> Goal:
    return next(goal for goal in goals(results) if goal.what.startswith(beginning))


def test_a_ratio_is_taken_within_each_round(results: Results) -> None:
    """The speed of the machine cancels out; a round that one side did not finish is left out."""
    results.add("publish", "1", "router", 3, {"posts": 1.0, "events": 1.0})
    results.add("publish", "1", "plain route", 4, {"posts": 1.0, "events": 1.0})
    ratio = results.ratio(("publish", "1", "router", "posts"), ("publish", "1", "plain route", "posts"))
    assert ratio == [9.0, 9.0, 9.0]


@pytest.mark.parametrize(
    ("beginning", "figure", "met", "words"),
    [
        ("durable posts/s", 9.0, True, "met (1.12 times as good)"),
        ("durable events/s at 50", 1.5, False, "missed by 25 %"),
        ("ack p99", 8.0, True, "met (1.25 times as good)"),
        ("bytes of memory per idle reader", 0.2, True, "met (2.00 times as good)"),
        ("full log: posts of 1", 0.8, False, "missed by 11 %"),
        ("full log: memory", 1.0, True, "met (1.11 times as good)"),
        ("publish-to-receive", 75.0, False, "missed: 1.5 times what is allowed"),
        ("replay of stored", None, None, "not measured"),
    ],
)
def test_a_verdict_says_by_how_much(
    results: Results, beginning: str, figure: float | None, met: bool | None, words: str
) -> None:
    """Of what was required, in either direction."""
    goal = verdict(results, beginning)
    assert (goal.figure, goal.met, goal.verdict) == (figure if figure is None else pytest.approx(figure), met, words)


def test_the_page_shows_medians_spreads_and_what_is_missing(results: Results) -> None:
    """Also what failed and what was not found."""
    results.absent["Mercure"] = "mercure-bench"
    results.failures.append("deliver, nchan, round 1: it closed the connection")
    text = page(results)
    assert "| nchan | 80,000 (40,000 to 80,000) | – | 0.225 |" in text.replace(" (0.225 to 0.225)", "")
    assert "- Mercure: not found: mercure-bench." in text
    assert "- deliver, nchan, round 1: it closed the connection." in text


def test_the_drawing_has_a_bar_for_every_figure(results: Results) -> None:
    """As XML that a browser can read."""
    drawing = ElementTree.fromstring(plot(results))
    bars = [bar for bar in drawing.iter("{http://www.w3.org/2000/svg}rect") if bar.get("x")]
    assert len(bars) == 3 + 1 + 1 + 2


def test_results_survive_a_file(results: Results, tmp_path: Path) -> None:
    """And one measure of them can be taken anew."""
    results.failures += ["publish, nchan, round 1: refused", "memory, nchan, round 1: refused"]
    results.save(tmp_path / "found.json")
    again = Results.load(tmp_path / "found.json")
    assert vars(again) == vars(results)
    again.forget("publish")
    assert again.rows("publish") == {}
    assert again.rows("memory") == results.rows("memory")
    assert again.failures == ["memory, nchan, round 1: refused"]


def test_tables_replace_what_is_between_the_marks() -> None:
    """And nothing else; a page without marks is refused."""
    once = placed(f"before\n{BEGIN}\nold\n{END}\nafter\n", "new\n")
    assert once.startswith("before\n")
    assert once.endswith("\nafter\n")
    assert "old" not in once
    assert placed(once, "new\n") == once
    with pytest.raises(ValueError, match="no <!-- compare: begin -->"):
        placed("a page", "new")
