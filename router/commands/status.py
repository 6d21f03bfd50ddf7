"""`router status`: one look at a running router, as a table that fits the terminal."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import click

from router.commands.client import Client

Row = tuple[str, ...]
WIDE: Final = 60  # columns below which a table is of no use; narrower terminals wrap
_SIGNS: Final = {"running": ("ok", "green"), "failed": ("FAILED", "red"), "backoff": ("RESTARTING", "yellow")}


def show(client: Client, width: int, *, as_json: bool) -> bool:
    """Print how the router is doing; whether it is healthy: ready, and every actor running.

    width: columns of the terminal.

    Raises:
        Unanswered: the router cannot be asked.
    """
    health = client.call("GET", "/health", also=(503,))
    actors = client.call("GET", "/health/actors")
    streams = client.call("GET", "/health/streams")["items"]
    healthy = is_healthy(health, actors)
    if as_json:
        click.echo(json.dumps({"healthy": healthy, "health": health, "actors": actors, "streams": streams}))
    else:
        for line in report(health, actors, streams, max(WIDE, width)):
            click.echo(line)
    return healthy


def is_healthy(health: Mapping[str, Any], actors: Mapping[str, Any]) -> bool:
    return bool(health["ready"]) and all(actor["state"] == "running" for _, actor in _everyone(actors, 0))


def report(
    health: Mapping[str, Any], actors: Mapping[str, Any], streams: Iterable[Mapping[str, Any]], width: int
) -> Iterator[str]:
    """The lines of the report."""
    ready = click.style("ready", fg="green") if health["ready"] else click.style("NOT READY", fg="red", bold=True)
    yield f"router {health['version']}, up {duration(health['uptime'])}: {ready}"
    for reason in health["reasons"]:
        yield f"  {reason}"
    yield ""
    head: Row = ("ENVIRONMENT", "STATE", "FIRST", "NEXT", "FORWARDS")
    yield from table(head, map(_environment, health["environments"]), width)
    yield from (f"  {item['environment']}: {item['fault']}" for item in health["environments"] if item.get("fault"))
    yield ""
    everyone = list(_everyone(actors, 0))
    head = ("ACTOR", "STATE", "QUEUE", "TAKEN", "RESTARTS", "WAITS FOR")
    yield from table(head, (_actor(depth, actor) for depth, actor in everyone), width)
    if failed := [actor for _, actor in everyone if actor["last_error"] is not None]:
        yield from ("", "Last errors:")
        for actor in failed:
            yield f"  {actor['name']}: {actor['last_error']['type']}: {actor['last_error']['message']}"
    yield ""
    if rows := list(map(_stream, streams)):
        yield from table(("STREAM OF", "READER", "BEHIND", "DELIVERED"), rows, width)
    else:
        yield "No stream is open."


def _environment(item: Mapping[str, Any]) -> Row:
    state = _sign(item["state"])
    return str(item["environment"]), state, _count(item.get("low")), _count(item.get("head")), _forwards(item)


def _actor(depth: int, actor: Mapping[str, Any]) -> Row:
    name, state, mailbox = "  " * depth + str(actor["name"]), _sign(actor["state"]), actor["mailbox"]
    queue = taken = ""
    if mailbox is not None:
        queue, taken = f"{mailbox['depth']}/{mailbox['capacity']}", f"{actor['processed']:,}"
    return name, state, queue, taken, str(actor["restarts"] or ""), str(actor["waiting_on"] or "")


def _stream(item: Mapping[str, Any]) -> Row:
    reader = str(item["consumer"] or f"#{item['number']}")
    return str(item["environment"]), reader, f"{item['lag']:,}", f"{item['delivered']:,}"


def table(head: Row, rows: Iterable[Row], width: int) -> Iterator[str]:
    """Lines of at most `width` columns: what does not fit of the last column is cut, and then of the widest.

    Columns of numbers are set right.
    """
    body = list(rows)
    plain = [head, *(tuple(click.unstyle(cell) for cell in row) for row in body)]
    widths = [max(len(row[column]) for row in plain) for column in range(len(head))]
    while sum(widths) + 2 * (len(widths) - 1) > width:
        longest = max(range(len(widths)), key=lambda column: widths[column])
        widths[longest] -= 1
    for row in (head, *body):
        cells = []
        for cell, size, column in zip(row, widths, range(len(head)), strict=True):
            number = column > 0 and all(_is_number(line[column]) for line in plain[1:])
            cells.append(_fitted(cell, size, right=number))
        yield "  ".join(cells).rstrip()


def duration(seconds: int) -> str:
    """Such as `3 d 4 h` or `12 min`: the two largest units."""
    parts = []
    for name, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        if seconds >= size:
            parts.append(f"{seconds // size} {name}")
            seconds %= size
    return " ".join(parts[:2]) or "0 s"


def _fitted(cell: str, size: int, *, right: bool) -> str:
    plain = click.unstyle(cell)
    if len(plain) > size:
        return plain[: size - 1] + "…"
    space = " " * (size - len(plain))
    return space + cell if right else cell + space


def _is_number(cell: str) -> bool:
    return not cell or cell.replace(",", "").replace("/", "").isdigit()


def _everyone(actor: Mapping[str, Any], depth: int) -> Iterator[tuple[int, Mapping[str, Any]]]:
    yield depth, actor
    for child in actor["children"]:
        yield from _everyone(child, depth + 1)


def _sign(state: str) -> str:
    text, colour = _SIGNS.get(state, (state, "yellow"))
    return click.style(text, fg=colour)


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _forwards(item: Mapping[str, Any]) -> str:
    forwards = item.get("forwards") or ()
    return ", ".join(f"{one['name']}: {one['state']}, {one['lag']:,} behind" for one in forwards)
