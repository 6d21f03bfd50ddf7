"""What each endpoint of ours takes and answers, for `openapi.json`. Paths of dialects describe themselves.

A path is written with `{}` for each parameter. An endpoint that is registered and not here fails a test.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
INTEGER: Final[Schema] = {"type": "integer"}
OBJECT: Final[Schema] = {"type": "object"}
ANYTHING: Final[Schema] = {}


def listed(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def record(*required: str, **properties: Schema) -> Schema:
    """An object with these properties; those without a name in `required` may be left out."""
    return {"type": "object", "properties": properties, "required": list(required or properties)}


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. answers: by status, what it means and the schema of its JSON, or None for other content.

    query: parameters with what they mean. body: schema of the request's JSON. content: media type of the good answer.
    """

    summary: str
    answers: Mapping[int, tuple[str, Schema | None]]
    query: Mapping[str, tuple[str, Schema]] = field(default_factory=dict)
    body: Schema | None = None
    content: str = "application/json"
    tag: str = "operations"


_ONE: Final = {
    "project": ("project key; with `environment`, names one of several", TEXT),
    "environment": ("environment key", TEXT),
}
_SELECTION: Final = {
    **_ONE,
    "kind": ("comma list of evaluation, exposure, summary, custom, identify, change, diagnostic, other", TEXT),
    "name": ("vendors' own event kinds or names", TEXT),
    "flag": ("flag keys", TEXT),
    "context": ("`kind:key` of a context", TEXT),
    "dialect": ("launchdarkly, statsig", TEXT),
    "from": ("latest, earliest, a cursor, or a time in ms or ISO 8601", TEXT),
    "until": ("a time or `now`: the answer ends there", TEXT),
    "format": ("raw or cloudevents", TEXT),
    "consumer": ("a named consumer, whose acknowledged cursor is the beginning", TEXT),
    "Last-Event-ID": ("a cursor; wins over `from`", TEXT),
    "token": ("the API token, for EventSource, which sends no header", TEXT),
}
_FLAG_EVENTS: Final = dict.fromkeys(
    (
        *("projectKey", "environmentKey", "applicationKey", "query", "impactSize", "hasExperiments", "global"),
        *("expand", "limit", "from", "to", "before", "after"),
    ),
    ("as LaunchDarkly's API has it", TEXT),
)
_ACTOR: Final = record("name", "state", "children", name=TEXT, state=TEXT, children=listed(OBJECT))
_HEALTH: Final = record("live", "ready", "version", live={"type": "boolean"}, ready={"type": "boolean"}, version=TEXT)
_READY: Final = record("status", status=TEXT, reasons=listed(TEXT))
_MISSING: Final = ("there is none of that name", ANYTHING)
_BAD: Final = ("a parameter is wrong; the message says which", ANYTHING)
_LATER: Final = ("not now; come back after `Retry-After` seconds", ANYTHING)
_OFTEN: Final = ("asked too often; come back after `Retry-After` seconds", ANYTHING)
_EXPAND: Final = {"expand": ("experiments", TEXT)}
_PAGE: Final = ("a page", None)

OPERATIONS: Final[Mapping[str, Mapping[str, Operation]]] = {
    "/": {"GET": Operation("The dashboard", {200: _PAGE, 401: ("the same, to log in", None)}, content="text/html")},
    "/dashboard/{}": {"GET": Operation("What its page loads", {200: ("a file", None), 404: _MISSING}, content="*/*")},
    "/api/v2/engineering-insights/flag-events": {
        "GET": Operation(
            "Flag changes with what they did to evaluations",
            {200: ("the changes", OBJECT), 400: _BAD, 404: _MISSING, 429: _OFTEN},
            _FLAG_EVENTS,
            tag="insights",
        )
    },
    "/api/v2/engineering-insights/flag-events/{}": {
        "GET": Operation(
            "One flag change", {200: ("the change", OBJECT), 404: _MISSING, 429: _OFTEN}, _EXPAND, tag="insights"
        )
    },
    "/backups": {
        "POST": Operation(
            "Hold a consistent checkpoint of the log, for `router backup`",
            {201: ("where it is", record(id=TEXT, path=TEXT, bytes=INTEGER)), 503: _LATER},
        )
    },
    "/backups/{}": {"DELETE": Operation("Let a checkpoint go", {204: ("gone", None), 404: _MISSING})},
    "/consumers": {
        "GET": Operation(
            "Named consumers of an environment and how far they are",
            {200: ("the consumers", record(items=listed(OBJECT))), 400: _BAD},
            _ONE,
            tag="events out",
        )
    },
    "/consumers/{}": {
        "DELETE": Operation(
            "Forget a consumer", {204: ("gone", None), 400: _BAD, 404: _MISSING}, _ONE, tag="events out"
        )
    },
    "/consumers/{}/ack": {
        "POST": Operation(
            "Acknowledge everything up to a cursor",
            {204: ("kept", None), 400: _BAD, 404: _MISSING, 503: _LATER},
            _ONE,
            record("cursor", cursor=TEXT, rewind={"type": "boolean"}),
            tag="events out",
        )
    },
    "/docs": {"GET": Operation("This description, to read and to try", {200: _PAGE}, content="text/html")},
    "/docs/{}": {"GET": Operation("What its page loads", {200: ("a file", None), 404: _MISSING}, content="*/*")},
    "/events": {
        "GET": Operation(
            "An environment's events, live or from any place in its log",
            {200: ("server-sent events; NDJSON where that is accepted", None), 400: _BAD, 503: _LATER},
            _SELECTION,
            content="text/event-stream",
            tag="events out",
        )
    },
    "/health": {"GET": Operation("Both, version and environments", {200: ("ready", _HEALTH), 503: ("not", _HEALTH)})},
    "/health/actors": {"GET": Operation("The tree of actors", {200: ("its root", _ACTOR)})},
    "/health/actors/{}": {"GET": Operation("One actor", {200: ("the actor", _ACTOR), 404: _MISSING})},
    "/health/actors/{}/restart": {
        "POST": Operation(
            "Start an actor anew, parked or running",
            {200: ("the actor, which runs", _ACTOR), 400: _BAD, 404: _MISSING, 503: _LATER},
        )
    },
    "/health/streams": {
        "GET": Operation("Streams that are open", {200: ("the oldest", record(open=INTEGER, items=listed(OBJECT)))})
    },
    "/health/live": {"GET": Operation("Whether the loop turns", {200: ("it does", record(status=TEXT))})},
    "/health/ready": {
        "GET": Operation("Whether events can be made durable", {200: ("they can", _READY), 503: ("not now", _READY)})
    },
    "/insights/flags/{}/{}/{}/evaluations": {
        "GET": Operation(
            "Evaluations of a flag by variation over time",
            {200: ("the counts", OBJECT), 400: _BAD, 404: _MISSING, 429: _OFTEN},
            dict.fromkeys(("from", "to", "step"), ("a time in ms or ISO 8601, or a duration for `step`", TEXT)),
            tag="insights",
        )
    },
    "/metrics": {
        "GET": Operation("Prometheus metrics", {200: ("the text format", None), 404: _MISSING}, content="text/plain")
    },
    "/openapi.json": {"GET": Operation("This description", {200: ("OpenAPI 3.0", OBJECT)})},
    "/quarantine": {
        "GET": Operation(
            "What could not be taken in, newest first, and why",
            {200: ("the items", record(items=listed(OBJECT))), 400: _BAD},
            {**_ONE, "limit": ("at most so many, 1 to 1000", INTEGER)},
        )
    },
    **{
        f"/webhooks/{vendor}": {
            "POST": Operation(
                f"Flag changes from {vendor}, signed",
                {
                    200: ("taken", None),
                    400: ("not readable", ANYTHING),
                    401: ("the signature is wrong or missing", ANYTHING),
                    403: ("not for this project", ANYTHING),
                    404: _MISSING,
                    503: _LATER,
                },
                body=ANYTHING,
                content="*/*",
                tag="flag changes in",
            )
        }
        for vendor in ("launchdarkly", "statsig", "generic")
    },
}
