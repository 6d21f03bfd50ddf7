"""The Quart-Trio application: every endpoint, each a thin adapter to what does the work."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from quart import Response, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from router.dialects.dialect import Dialect, Reply, Request, Route
from router.http import cors, gate, problems, rules
from router.http.backups import Backups
from router.http.consumers import Consumers
from router.http.docs import Docs
from router.http.guard import oversize
from router.http.headers import harden
from router.http.health import Health
from router.http.ingest import Ingest
from router.http.insights import InsightsReader
from router.http.metrics import MetricsReader
from router.http.panel import Panel
from router.http.quarantine import QuarantineReader
from router.http.requests import ROUTE
from router.http.services import Services
from router.http.streams import Streams
from router.http.webhooks import Webhooks


def create_app(
    services: Services, dialects: Sequence[Dialect], ingest: Ingest, streams: Streams | None = None
) -> QuartTrio:
    """All endpoints over `services`. Limits of size and time are the guard's, which must be around it."""
    app = QuartTrio("router", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=None, BODY_TIMEOUT=None, RESPONSE_TIMEOUT=None)
    for dialect in dialects:
        for route in dialect.routes:
            _add_route(app, services, ingest, dialect, route)
        _add_misdirected(app, services, dialect)
    (streams or Streams(services)).attach(app)
    Consumers(services).attach(app)
    Health(services).attach(app)
    QuarantineReader(services).attach(app)
    Webhooks(services).attach(app)
    InsightsReader(services).attach(app)
    if services.checkpoints is not None:
        Backups(services.checkpoints).attach(app)
    MetricsReader(services).attach(app)
    Panel(services).attach(app)
    ruled = rules.RULES | rules.of_dialects(dialects)
    Docs(ruled, dialects).attach(app)
    gate.enforce(app, services, ruled)
    if services.config.log.requests:
        app.before_request(_note_route)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _server_error)
    return app


def _add_route(app: QuartTrio, services: Services, ingest: Ingest, dialect: Dialect, route: Route) -> None:
    async def serve(**parameters: str) -> Response:
        body = await request.get_data(cache=False, as_text=False, parse_form_data=False)
        plain = _plain(services, parameters, body)
        if plain.method == "OPTIONS" and route.method != "OPTIONS":
            return _response(ingest.preflight(dialect, route, plain))
        return _response(await ingest.post(dialect, route, plain, oversize=oversize(request.scope)))

    handler: Callable[..., Awaitable[Response]] = serve
    methods = [route.method] if route.cors is None else [route.method, "OPTIONS"]
    app.add_url_rule(
        _rule(route.path),
        f"{dialect.name} {route.method} {route.path}",
        handler,
        methods=methods,
        provide_automatic_options=False,
        strict_slashes=False,
    )


def _add_misdirected(app: QuartTrio, services: Services, dialect: Dialect) -> None:
    replies: dict[str, dict[str, tuple[Route, Reply]]] = {}
    for route, reply in dialect.misdirected:
        replies.setdefault(route.path, {})[route.method] = (route, reply)
    for path, by_method in replies.items():

        async def serve(by_method: dict[str, tuple[Route, Reply]] = by_method, **_parameters: str) -> Response:
            plain = _plain(services, {}, b"")
            route, reply = by_method.get(plain.method) or next(iter(by_method.values()))
            headers = reply.headers
            if plain.method == "OPTIONS" and route.cors is not None:
                preflight = cors.preflight_headers(", ".join(by_method), route.cors, plain.headers)
                reply = Reply(route.cors.preflight_status)
                headers = preflight
            if route.cors is not None:
                headers += cors.headers(route.cors, plain.headers, services.origins(None))
            return _response(Reply(reply.status, headers, reply.body))

        app.add_url_rule(
            _rule(path),
            f"{dialect.name} elsewhere {path}",
            serve,
            methods=[*by_method, "OPTIONS"],
            provide_automatic_options=False,
        )


def _rule(path: str) -> str:
    return path.replace("{", "<").replace("}", ">")


def _plain(services: Services, parameters: dict[str, str], body: bytes) -> Request:
    scope: Mapping[str, Any] = request.scope
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1")
        text = value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    query = scope["query_string"]
    return Request(
        scope["method"],
        scope["path"],
        parameters,
        dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {},
        headers,
        body,
        services.clock.now(),
    )


def _response(reply: Reply) -> Response:
    response = Response(reply.body, status=reply.status)
    del response.headers["Content-Type"]
    for name, value in reply.headers:
        response.headers.add(name, value)
    return response


async def _note_route() -> None:
    if request.url_rule is not None:
        request.scope[ROUTE] = request.url_rule.rule  # type: ignore[typeddict-unknown-key]  # ours, for `RequestLog`


async def _http_error(error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - the type the handler is registered for
    code = error.code or 500
    response = harden(problems.problem(code, f"{error.name}: {request.method} {request.path}".lower()))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


async def _server_error(_error: Exception) -> Response:
    return problems.problem(503, "the router failed on this request; its log says why", retry_after=1)
