"""Who may use which endpoint: the one table that says so. `gate` enforces it.

A path is written as it is registered with the application; `/*` at its end stands for everything below. The longest
entry that fits holds. A path without an entry is no endpoint: the application refuses to start.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from router.credentials import Scope
from router.dialects.dialect import Cors, Dialect


class Kind(Enum):
    """What is asked of a request. OPEN: nothing. SDK: a key, judged by the dialect, which knows where its SDKs put it.
    SIGNED: a signature over the body, judged by the endpoint. SCOPE: an API token. OPERATOR: an API token, or a peer on
    this machine that passes on nobody else."""

    OPEN = "open"
    SDK = "sdk"
    SIGNED = "signed"
    SCOPE = "scope"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may use an endpoint. scope: of the API token, for SCOPE and OPERATOR.

    cors: what browsers are told on the endpoint, so that a page can read a refusal too.
    """

    kind: Kind
    scope: Scope | None = None
    cors: Cors | None = None


# EventSource sends no header of its own but these; other clients in a page send a token and a format.
STREAM_CORS: Final = Cors("Authorization,Cache-Control,Last-Event-ID,Accept", mirror_headers=True, preflight_status=204)

# What LaunchDarkly's API tells browsers (protocols/launchdarkly.md 4.4).
INSIGHTS_CORS: Final = Cors(
    "Accept,Content-Type,Content-Length,Accept-Encoding,Authorization,LD-API-Version",
    expose_headers="Date,X-Ratelimit-Global-Remaining,X-Ratelimit-Route-Remaining,X-Ratelimit-Reset",
    preflight_status=204,
)

OPEN: Final = Rule(Kind.OPEN)
SDK: Final = Rule(Kind.SDK)
SIGNED: Final = Rule(Kind.SIGNED)
STREAM: Final = Rule(Kind.SCOPE, Scope.STREAM)
INSIGHTS: Final = Rule(Kind.SCOPE, Scope.INSIGHTS, INSIGHTS_CORS)
ADMIN: Final = Rule(Kind.SCOPE, Scope.ADMIN)
OPERATOR: Final = Rule(Kind.OPERATOR, Scope.ADMIN)

RULES: Final[dict[str, Rule]] = {
    "/": OPEN,  # a page without data, on which one logs in; it says 401 itself
    "/api/v2/*": INSIGHTS,
    "/backups": OPERATOR,
    "/backups/*": OPERATOR,
    "/consumers": STREAM,
    "/consumers/*": STREAM,
    "/dashboard/*": OPEN,
    "/docs": OPERATOR,
    "/docs/*": OPERATOR,
    "/events": Rule(Kind.SCOPE, Scope.STREAM, STREAM_CORS),
    "/health": OPERATOR,
    "/health/*": OPERATOR,
    "/health/live": OPEN,
    "/health/ready": OPEN,
    "/insights/*": INSIGHTS,
    "/metrics": OPERATOR,
    "/openapi.json": OPERATOR,
    "/quarantine": ADMIN,
    "/webhooks/*": SIGNED,
}
"""Everything but the paths of dialects, which are of the kind SDK."""


def of_dialects(dialects: Iterable[Dialect]) -> dict[str, Rule]:
    """The rules of all paths that dialects answer on, as they write them."""
    paths: dict[str, Rule] = {}
    for dialect in dialects:
        paths.update((route.path, SDK) for route in dialect.routes)
        paths.update((route.path, OPEN) for route, _ in dialect.misdirected)
    return paths


def rule_of(path: str, rules: Mapping[str, Rule]) -> Rule:
    """The rule of a registered path.

    Raises:
        LookupError: it has none.
    """
    if path in rules:
        return rules[path]
    place = path
    while place:
        place = place.rpartition("/")[0]
        if f"{place}/*" in rules:
            return rules[f"{place}/*"]
    raise LookupError(f"nobody may use {path}: it has no rule in router/http/rules.py; write who may")
