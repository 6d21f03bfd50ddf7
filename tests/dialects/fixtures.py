"""Requests recorded from the official SDKs, as plain data (shared fixtures, README), and how a dialect is asked.

The recordings lie beside the checkout, in `../shared/fixtures`, here as in CI.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from router.dialects.dialect import Batch, Bounds, Claim, Dialect, Request, Route

FOLDER: Final = Path(__file__).parents[3] / "shared" / "fixtures"
RECEIVED: Final = 1_795_240_000_000  # unix ms; an hour or two after the recordings were made


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded request, or one that a test makes up.

    headers: names in lower case; repeated ones joined by `, `.
    body: as on the wire: still compressed, chunked framing removed.
    events: how many events of each kind it carries; empty for a preflight.
    answered: the status the recording sink gave.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    events: Mapping[str, int] = field(default_factory=dict)
    answered: int = 0

    @property
    def path(self) -> str:
        """The path of the target, percent-decoded."""
        return unquote(urlsplit(self.target).path)

    def request(self, received: int = RECEIVED, parameters: Mapping[str, str] | None = None) -> Request:
        """The plain request a dialect takes; `received` is unix ms, `parameters` those of the route."""
        query = dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))
        return Request(self.method, self.path, parameters or {}, query, self.headers, self.body, received)


def names(prefix: str = "") -> list[str]:
    """The recordings whose name begins with `prefix`, in order: `ld-node-server-9.13.7`, `edge-ld-…`, …"""
    found = sorted(path.name.removesuffix(".jsonl") for path in FOLDER.glob(f"{prefix}*.jsonl"))
    if not found:
        raise FileNotFoundError(f"no recording {prefix!r} in {FOLDER}: shared/ belongs beside the checkout")
    return found


def requests(name: str) -> list[Recorded]:
    """The requests of one recording in the order they were sent, preflights included."""
    with (FOLDER / f"{name}.jsonl").open() as lines:
        return [_recorded(json.loads(line)) for line in lines]


def expected(name: str) -> dict[str, Any]:
    """What a recording carries: `events` counts per kind, with `summary_evaluations` over all summaries."""
    return cast("dict[str, Any]", json.loads((FOLDER / f"{name}.expected.json").read_text()))


def route_of(dialect: Dialect, recorded: Recorded) -> tuple[Route, dict[str, str]]:
    """The route that serves a request, and the values of its path's parameters.

    Raises:
        LookupError: the dialect has no such route.
    """
    for route in dialect.routes:
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(route.path))
        if route.method == recorded.method and (match := re.fullmatch(pattern, recorded.path)):
            return route, match.groupdict()
    raise LookupError(f"no route of {dialect.name} serves {recorded.method} {recorded.path}")


def claim(dialect: Dialect, recorded: Recorded) -> Claim:
    """The credential a request shows."""
    route, parameters = route_of(dialect, recorded)
    return dialect.claim(route, recorded.request(parameters=parameters))


def decode(dialect: Dialect, recorded: Recorded, *, bounds: Bounds | None = None, received: int = RECEIVED) -> Batch:
    """What a request carries."""
    route, parameters = route_of(dialect, recorded)
    return dialect.decode(route, recorded.request(received, parameters), bounds or Bounds())


def _recorded(record: dict[str, Any]) -> Recorded:
    headers: dict[str, str] = {}
    for name, value in record["headers"]:
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    body = base64.b64decode(record["body_b64"] or "")
    return Recorded(record["method"], record["target"], headers, body, record["events"], record["answered"])
