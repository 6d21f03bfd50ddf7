"""Results as a drawing: bars on logarithmic scales, with their spread. SVG of our own, so that nothing is needed."""

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from bench.compare.goals import number
from bench.compare.results import Results

WIDTH, LABEL, BAR, HEAD, GAP = 860, 190, 16, 40, 14
COLOURS = ("#2563a8", "#7ba7d4", "#c2571a", "#8a8a8a", "#5f5f5f", "#3f8f5b", "#8b5aa8", "#b08a1e", "#3a9aa0", "#a8476b")


def panels(results: Results) -> list[tuple[str, str, str, str, float]]:
    """Title, measure, row, quantity and scale of what is drawn."""
    found = [(f"Events taken in a second, {row} a post", "publish", row, "events", 1.0) for row in ("1", "50", "500")]
    found += [
        (f"Deliveries a second, readers: {row.partition(',')[0]}, 1 event a post", "deliver", row, "rate", 1.0)
        for row in results.rows("deliver")
        if row.endswith(", 1 a post")
    ]
    found.append(("Publish to receive, p99 in ms (less is better)", "deliver", "latency", "p99", 1.0))
    found += [
        (f"KB a reader, {row} idle readers (less is better)", "memory", row, "bytes", 1 / 1024)
        for row in list(results.rows("memory"))[-1:]
    ]
    found.append(("Stored events replayed a second to one reader", "replay", "server-sent events", "events", 1.0))
    found += [
        (f"Events taken in a second, fsync {row} a post", "fsync", row, "events", 1.0)
        for row in results.rows("fsync")
        if not row.startswith("+0")
    ]
    return [panel for panel in found if results.rows(panel[1]).get(panel[2])]


def plot(results: Results) -> str:
    """The whole drawing."""
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(results.candidates)}
    note = "Each group has a logarithmic scale of its own; a thin line goes from the least of the rounds to the most."
    parts, top = [f'<text x="10" y="18">{note}</text>'], 34
    for title, measure, row, quantity, scale in panels(results):
        names = [name for name in results.candidates if results.values(measure, row, name, quantity)]
        bars = [(name, [value * scale for value in results.values(measure, row, name, quantity)]) for name in names]
        parts.append(panel(title, bars, colours, top))
        top += HEAD + len(bars) * (BAR + 4) + GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}"'
    style = 'font-family="sans-serif" font-size="12" fill="#444"'
    return "\n".join([f'{head} {style}><rect width="{WIDTH}" height="{top}" fill="#fff"/>', *parts, "</svg>", ""])


def panel(title: str, bars: Sequence[tuple[str, list[float]]], colours: dict[str, str], top: int) -> str:
    """One group of bars on its own scale."""
    values = [max(value, 1e-3) for _, found in bars for value in found]
    low, high = math.floor(math.log10(min(values)) - 0.3), math.ceil(math.log10(max(values)))
    room = WIDTH - LABEL - 120

    def x(value: float) -> float:
        return LABEL + room * (math.log10(max(value, 1e-3)) - low) / max(1, high - low)

    parts = [f'<text x="10" y="{top + 16}" font-weight="bold">{escape(title)}</text>']
    bottom = top + HEAD + len(bars) * (BAR + 4)
    for power in range(low, high + 1):
        at = x(10.0**power)
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{top + HEAD - 4}" y2="{bottom}" stroke="#ddd"/>')
        parts.append(
            f'<text x="{at:.1f}" y="{top + HEAD - 6}" text-anchor="middle" font-size="9">{number(10.0**power)}</text>'
        )
    for place, (name, found) in enumerate(bars):
        y = top + HEAD + place * (BAR + 4)
        middle = sorted(found)[len(found) // 2]
        parts += [
            f'<text x="{LABEL - 8}" y="{y + 12}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{LABEL}" y="{y}" width="{max(1, x(middle) - LABEL):.1f}" height="{BAR}" '
            f'fill="{colours[name]}"/>',
            f'<line x1="{x(min(found)):.1f}" x2="{x(max(found)):.1f}" y1="{y + BAR / 2}" y2="{y + BAR / 2}" '
            'stroke="#111" stroke-width="1.5"/>',
            f'<text x="{x(max(found)) + 6:.1f}" y="{y + 12}">{number(middle)}</text>',
        ]  # fmt: skip
    return "\n".join(parts)
