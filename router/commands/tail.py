"""`router tail`: the stream in a terminal, a line an event, going on where it was after every interruption."""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final
from urllib.parse import urlencode

import click

from router.commands.client import Unanswered
from router.names import EnvironmentName
from router.sse import Message, Parser

SILENCE: Final = 45.0  # seconds without a byte after which the stream counts as lost; three heartbeats
LONGEST_PAUSE: Final = 30.0
_COLOURS: Final = {
    "evaluation": "green", "exposure": "cyan", "summary": "blue", "custom": "magenta",
    "identify": "yellow", "change": "red", "diagnostic": "bright_black", "other": "white",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Selection:
    """What to follow. since: `latest`, `earliest`, a cursor or a time. environment: where the token covers several."""

    environment: EnvironmentName | None = None
    kind: str | None = None
    flag: str | None = None
    since: str = "latest"

    def query(self) -> str:
        """As a query string."""
        asked = {"format": "cloudevents", "from": self.since}
        if self.environment is not None:
            asked |= {"project": self.environment.project, "environment": self.environment.key}
        asked |= {name: value for name, value in (("kind", self.kind), ("flag", self.flag)) if value}
        return urlencode(asked)


def follow(url: str, token: str | None, selection: Selection, *, as_json: bool) -> None:
    """Print events until interrupted. Reconnects with its cursor and says so where there was a gap.

    Raises:
        Unanswered: the router refuses what is asked.
    """
    random = Random()  # noqa: S311 - jitter, not a secret
    last, pause = "", 0.5
    while True:
        parser = Parser(last)
        try:
            for message in _messages(url, token, selection, parser):
                pause = 0.5
                show(message, as_json=as_json)
                last = parser.last_id
        except (OSError, http.client.HTTPException) as error:
            click.echo(f"the router does not answer ({error}); trying again", err=True)
        last = parser.last_id
        wait = pause if parser.retry is None else parser.retry / 1000
        time.sleep(wait * (0.5 + random.random() / 2))
        pause = min(pause * 2, LONGEST_PAUSE)


def show(message: Message, *, as_json: bool) -> None:
    """Print one message: an event on standard output, what is about the stream on standard error."""
    data = json.loads(message.data)
    if message.event != "message":
        click.secho(out_of_band(message.event, data), fg="red", err=True)
    elif as_json:
        click.echo(message.data)
    else:
        click.echo(line(data))


def out_of_band(name: str, data: dict[str, Any]) -> str:
    """What is said about the stream itself, in a sentence."""
    if name == "gap":
        return (
            f"gap: {data['lost']} events are not kept any more ({data['reason']}), from {data['from']} to {data['to']}"
        )
    if name == "reset":
        return f"reset: the log is not the one that cursor {data['from']} is of; it begins anew"
    return f"{name}: {json.dumps(data)}"


def line(event: dict[str, Any]) -> str:
    """An event for people: time, kind, flag, variation, context."""
    kind = str(event["type"]).removeprefix("flags.")
    raw = event.get("data")
    data = raw if isinstance(raw, dict) else {}
    subject = str(event.get("subject", ""))
    is_flag = kind in ("evaluation", "exposure", "summary")
    what = subject if is_flag else str(event.get("name", ""))
    who = context(data) if is_flag or not subject else subject
    clock = str(event["time"])[11:23]
    parts = [clock, click.style(f"{kind:<10}", fg=_COLOURS.get(kind)), f"{what:<28}", f"{variation(data):<12}", who]
    return " ".join(parts).rstrip()


def variation(data: dict[str, Any]) -> str:
    """What a flag evaluated to, as either vendor says it."""
    metadata = data.get("metadata")
    if isinstance(metadata, dict):
        found = metadata.get("gateValue", metadata.get("ruleID", ""))
    else:
        found = data.get("value", data.get("variation", ""))
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)[:40]


def context(data: dict[str, Any]) -> str:
    """Whom an event is about, as either vendor says it."""
    found = data.get("context") or data.get("user")
    if isinstance(found, dict):
        if found.get("kind") == "multi":
            return ",".join(f"{kind}:{one.get('key', '')}" for kind, one in found.items() if isinstance(one, dict))
        return f"{found.get('kind', 'user')}:{found.get('key', found.get('userID', ''))}"
    keys = data.get("contextKeys")
    if isinstance(keys, dict):
        return ",".join(f"{kind}:{key}" for kind, key in keys.items())
    return str(data.get("userKey", ""))


def _messages(url: str, token: str | None, selection: Selection, parser: Parser) -> Iterator[Message]:
    headers = {"Accept": "text/event-stream"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if parser.last_id:
        headers["Last-Event-ID"] = parser.last_id
    asked = urllib.request.Request(f"{url.rstrip('/')}/events?{selection.query()}", headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(asked, timeout=SILENCE) as answer:  # noqa: S310 - the operator's own address
            while data := answer.read1(65536):
                yield from parser.feed(data)
    except urllib.error.HTTPError as error:
        if error.code < 500:
            raise Unanswered(f"{url}/events answered {error.code}: {_reason(error.read())}") from error
        raise OSError(f"it answered {error.code}: {_reason(error.read())}") from error


def _reason(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode("utf-8", "replace")[:200]
