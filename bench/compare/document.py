"""Where results are kept: data and drawing beside the page, the tables in it."""

from pathlib import Path

from bench.compare.plot import plot
from bench.compare.results import Results
from bench.compare.table import page

DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- compare: begin -->", "<!-- compare: end -->"


def keep(results: Results, folder: Path) -> None:
    """Data, tables and drawing in a directory."""
    folder.mkdir(parents=True, exist_ok=True)
    results.save(folder / "comparison.json")
    (folder / "comparison.svg").write_text(plot(results))
    (folder / "comparison.md").write_text(page(results))


def write(results: Results, docs: Path = DOCS) -> None:
    """Data and drawing in `docs/performance/`, the tables between the marks of `docs/performance.md`."""
    (docs / "performance").mkdir(exist_ok=True)
    results.save(docs / "performance" / "comparison.json")
    (docs / "performance" / "comparison.svg").write_text(plot(results))
    document = docs / "performance.md"
    document.write_text(placed(document.read_text(), page(results)))


def placed(text: str, tables: str) -> str:
    """A page with the tables between its marks.

    Raises:
        ValueError: it has no such marks.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} and {END}")
    drawing = "![The router beside its peers](performance/comparison.svg)"
    return f"{before}{BEGIN}\n\n{drawing}\n\n{tables}\n{END}{after}"
