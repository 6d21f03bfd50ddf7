"""Figures by measure, row, candidate and round; what they come to."""

import json
import statistics
from pathlib import Path
from typing import Any

Figures = dict[str, float]


class Results:
    """What was measured. It goes to a file and comes back from one; one measure of it can be taken anew.

    A ratio is taken within each round and the median of those is what counts, so that what a machine does over an hour
    touches both sides alike.
    """

    def __init__(self) -> None:
        self.machine: dict[str, Any] = {}
        self.settings: dict[str, Any] = {}
        self.candidates: dict[str, str] = {}
        self.absent: dict[str, str] = {}
        self.failures: list[str] = []
        self.figures: dict[str, dict[str, dict[str, list[Figures]]]] = {}

    def add(self, measure: str, row: str, candidate: str, turn: int, figures: Figures) -> None:
        """The figures of one round, whose number is `turn`."""
        rounds = self.figures.setdefault(measure, {}).setdefault(row, {}).setdefault(candidate, [])
        rounds.append({"round": turn} | figures)

    def rows(self, measure: str) -> dict[str, dict[str, list[Figures]]]:
        """A measure's rows."""
        return self.figures.get(measure, {})

    def values(self, measure: str, row: str, candidate: str, quantity: str) -> list[float]:
        """One figure of every round."""
        rounds = self.rows(measure).get(row, {}).get(candidate, [])
        return [figures[quantity] for figures in rounds if quantity in figures]

    def median(self, measure: str, row: str, candidate: str, quantity: str) -> float | None:
        """The median of its rounds; None where it was not measured."""
        found = self.values(measure, row, candidate, quantity)
        return statistics.median(found) if found else None

    def ratio(self, first: tuple[str, str, str, str], second: tuple[str, str, str, str]) -> list[float]:
        """`first` against `second` in every round that has both; each is (measure, row, candidate, quantity)."""
        taken = []
        for measure, row, candidate, quantity in (first, second):
            rounds = self.rows(measure).get(row, {}).get(candidate, [])
            taken.append({figures["round"]: figures.get(quantity) for figures in rounds})
        pairs = [(one, taken[1].get(turn)) for turn, one in taken[0].items()]
        return [one / other for one, other in pairs if one is not None and other]

    def forget(self, measure: str) -> None:
        """Make room for a measure that is taken anew."""
        self.figures.pop(measure, None)
        self.failures = [failure for failure in self.failures if not failure.startswith(f"{measure}, ")]

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(vars(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Results":
        results = cls()
        vars(results).update(json.loads(path.read_text()))
        return results
