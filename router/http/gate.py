"""The one place where endpoints ask who is there. No endpoint can be served around it."""

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, Final, cast

from quart import Quart, Response, g, request

from router.credentials import Scope, Token
from router.errors import Fault, Rejected
from router.http import access, cors, problems
from router.http.headers import harden
from router.http.rules import Kind, Rule, rule_of
from router.http.services import Services

OPERATOR: Final = Token("this machine's operator", frozenset(Scope), None)

_View = Callable[..., Awaitable[Any]]


def enforce(app: Quart, services: Services, rules: Mapping[str, Rule]) -> None:
    """Put every endpoint of `app` behind its rule; to be called when all are registered.

    Raises:
        LookupError: an endpoint has no rule.
    """
    found: dict[str, Rule] = {}
    for registered in app.url_map.iter_rules():
        rule = rule_of(registered.rule.replace("<", "{").replace(">", "}"), rules)
        if found.setdefault(registered.endpoint, rule) != rule:
            raise LookupError(f"endpoint {registered.endpoint!r} is behind several rules: register it once for each")
    for endpoint, rule in found.items():
        if rule.kind is not Kind.SDK:
            app.view_functions[endpoint] = _behind(app, rule, services, app.ensure_async(app.view_functions[endpoint]))


def holder() -> Token:
    """The rights that the request being served has shown, on an endpoint that asks for a scope."""
    return cast("Token", g.holder)


def _behind(app: Quart, rule: Rule, services: Services, view: _View) -> _View:
    @wraps(view)
    async def gated(*arguments: Any, **parameters: Any) -> Any:  # noqa: ANN401 - whatever the endpoint takes and gives
        if request.method != "OPTIONS":  # a preflight shows no credential, and learns nothing
            try:
                g.holder = _admitted(rule, services)
            except Rejected as error:
                return harden(_refused(rule, services, error))
        made = await app.make_response(await view(*arguments, **parameters))
        return harden(made) if isinstance(made, Response) else made

    return gated


def _admitted(rule: Rule, services: Services) -> Token | None:
    if rule.scope is None:
        return None
    headers = {name.lower(): value for name, value in request.headers.items()}
    local = access.is_local(request.remote_addr, headers) and not access.is_lured(headers)
    if rule.kind is Kind.OPERATOR and local:
        return OPERATOR
    token = access.require(services.keyring(), access.presented(headers, request.args), rule.scope)
    if rule.kind is Kind.OPERATOR and not all(map(token.covers, services.environments)):
        raise Rejected(Fault.FORBIDDEN, "the API token does not cover all environments, which this tells about")
    return token


def _refused(rule: Rule, services: Services, error: Rejected) -> Response:
    response = problems.of_fault(error.fault, error.message)
    if rule.cors is not None:
        plain = {name.lower(): value for name, value in request.headers.items()}
        response.headers.extend(cors.headers(rule.cors, plain, services.origins(None)))
    return response
