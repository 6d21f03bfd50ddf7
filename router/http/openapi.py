"""The description of the API, made of the routes that are there: nothing is described that is not served."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from werkzeug.routing import Map

from router import __version__
from router.dialects.dialect import Dialect, Route
from router.http.operations import OPERATIONS, Operation
from router.http.rules import Kind, Rule, rule_of

_PARAMETER: Final = re.compile(r"<(?:\w+:)?(\w+)>")
_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
_SCHEMAS: Final[dict[str, Any]] = {
    "Problem": {
        "type": "object",
        "properties": {
            "code": {"type": "string"},
            "message": {"type": "string"},
            "errors": {"type": "array", "items": {"type": "object"}},
        },
        "required": ["code", "message"],
    }
}
_SCHEMES: Final = {
    "token": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "`Bearer TOKEN`"},
    "sdkKey": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "the bare SDK or mobile key"},
    "statsigKey": {"type": "apiKey", "in": "header", "name": "statsig-api-key"},
}
_SDK_ANSWERS: Final = {
    200: "taken, for an image",
    202: "durable at the configured level; `Router-Offsets` says where",
    400: "the body as a whole cannot be taken in; the message says why",
    401: "the key is not known",
    403: "the API token may not do this here",
    404: "the client-side ID is not known",
    503: "not now; come back after `Retry-After` seconds",
}


def plain(rule: str) -> str:
    """A registered path as OpenAPI writes it."""
    return _PARAMETER.sub(r"{\1}", rule)


def describe(routes: Map, rules: Mapping[str, Rule], dialects: Sequence[Dialect]) -> dict[str, Any]:
    """The OpenAPI 3.0 document, the newest that the page at `/docs` reads, of an application.

    Raises:
        LookupError: an endpoint is not in `operations`.
    """
    sdk = {route.path: (dialect, route) for dialect in dialects for route in dialect.routes}
    paths: dict[str, dict[str, Any]] = {}
    for registered in sorted(routes.iter_rules(), key=lambda item: item.rule):
        path = plain(registered.rule)
        rule = rule_of(registered.rule.replace("<", "{").replace(">", "}"), rules)
        methods = (registered.methods or set()) - {"HEAD", "OPTIONS"}
        if path in sdk:
            dialect, route = sdk[path]
            paths.setdefault(path, {})[route.method.lower()] = _of_dialect(dialect, route, path)
        elif not any(path == away.path for dialect in dialects for away, _ in dialect.misdirected):
            for method in sorted(methods):
                paths.setdefault(path, {})[method.lower()] = _of_ours(_operation(path, method), path, method, rule)
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "router",
            "version": __version__,
            "description": "Takes the events of feature-flag SDKs, makes them durable, and lets anyone follow them.",
        },
        "paths": paths,
        "components": {"schemas": _SCHEMAS, "securitySchemes": _SCHEMES},
    }


def _operation(path: str, method: str) -> Operation:
    found = OPERATIONS.get(re.sub(r"\{\w+\}", "{}", path), {}).get(method)
    if found is None:
        raise LookupError(f"{method} {path} is not described: add it to router/http/operations.py")
    return found


def _parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _name(method: str, path: str) -> str:
    return re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_")


def _of_ours(operation: Operation, path: str, method: str, rule: Rule) -> dict[str, Any]:
    answers = dict(operation.answers)
    if rule.scope is not None:
        answers.setdefault(401, ("no API token, or one that is not known", {}))
        answers.setdefault(403, (f"the API token lacks the scope {rule.scope.value}, or the environment", {}))
    responses = {}
    for status, (meaning, schema) in sorted(answers.items()):
        content: dict[str, Any] = {}
        if status >= 400:
            content = {"application/json": {"schema": schema or _PROBLEM}}
        elif schema is not None:
            content = {"application/json": {"schema": schema}}
        elif status != 204:
            content = {operation.content: {}}
        responses[str(status)] = {"description": meaning, **({"content": content} if content else {})}
    described: dict[str, Any] = {
        "operationId": _name(method, path),
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": [
            *_parameters(path),
            *(
                {"name": name, "in": "query", "description": meaning, "schema": schema}
                for name, (meaning, schema) in operation.query.items()
            ),
        ],
        "responses": responses,
    }
    if rule.scope is not None:
        described["security"] = [{"token": []}, *([{}] if rule.kind is Kind.OPERATOR else [])]
        described["description"] = f"Needs an API token of scope `{rule.scope.value}`" + (
            ", or a peer on the router's machine." if rule.kind is Kind.OPERATOR else "."
        )
    if operation.body is not None:
        described["requestBody"] = {"content": {"application/json": {"schema": operation.body}}}
    return described


def _of_dialect(dialect: Dialect, route: Route, path: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": _name(route.method, path),
        "tags": [f"events in: {dialect.name}"],
        "summary": f"Events of {dialect.name} SDKs: {route.endpoint}",
        "parameters": _parameters(path),
        "security": [{"statsigKey": []} if dialect.name == "statsig" else {"sdkKey": []}, {}],
        "responses": {str(status): {"description": meaning} for status, meaning in _SDK_ANSWERS.items()},
    }
    if route.method == "POST":
        described["requestBody"] = {
            "description": "as the vendor's SDKs send it; gzip and zstd are understood",
            "content": {"application/json": {"schema": {}}},
        }
    return described
