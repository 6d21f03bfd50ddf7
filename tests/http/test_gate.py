"""Every endpoint is behind its rule, whoever adds it."""

from pathlib import Path

import pytest
from quart_trio import QuartTrio

from router.credentials import Keyring, Scope, Token, digest
from router.dialects.launchdarkly import LaunchDarkly
from router.dialects.statsig import Statsig
from router.http import gate, rules
from router.http.app import create_app
from router.http.ingest import Ingest
from router.http.rules import Kind
from tests.http.conftest import PRODUCTION, below

AFAR = {"client": ("192.0.2.1", 1)}
HERE = {"client": ("127.0.0.1", 1)}
DIALECTS = (LaunchDarkly(), Statsig())
ONLY = {scope: f"api-only-{scope}" for scope in Scope}
KEYRING = Keyring(
    tokens=[
        *((digest(secret), Token(secret, frozenset({scope}), None)) for scope, secret in ONLY.items()),
        (digest("api-partial"), Token("partial", frozenset(Scope), frozenset({PRODUCTION}))),
    ]
)


def registered(app: QuartTrio) -> list[tuple[str, str, rules.Rule]]:
    """(method, path with its parameters filled in, rule) of every route."""
    table = rules.RULES | rules.of_dialects(DIALECTS)
    found = []
    for route in app.url_map.iter_rules():
        path = route.rule.replace("<", "{").replace(">", "}")
        for method in sorted((route.methods or set()) - {"HEAD", "OPTIONS"}):
            filled = "/".join("x" if part.startswith("{") else part for part in path.split("/"))
            found.append((method, filled, rules.rule_of(path, table)))
    return found


async def status(app: QuartTrio, method: str, path: str, base: dict[str, tuple[str, int]], token: str | None) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    client = app.test_client()
    response = await client.open(path, method=method, headers=headers, scope_base=base)  # type: ignore[call-arg]
    return response.status_code


async def test_every_route_has_a_rule_and_its_rule_holds(tmp_path: Path) -> None:
    """From afar: without a token, with one of every other scope, and with the right one. Streams never end by
    themselves, so that a good token is shown to them with a wrong parameter."""
    async with below(tmp_path) as running:
        running.services.keyring = lambda: KEYRING
        app = create_app(running.services, DIALECTS, Ingest(running.services))
        tried = 0
        for method, path, rule in registered(app):
            tried += 1
            if rule.kind is Kind.SDK:
                assert await status(app, method, path, AFAR, None) in (400, 401, 404), path
            elif rule.kind in (Kind.SCOPE, Kind.OPERATOR):
                assert rule.scope is not None
                assert await status(app, method, path, AFAR, None) == 401, path
                assert await status(app, method, path, AFAR, "nobody") == 401, path
                for scope, secret in ONLY.items():
                    answer = await status(app, method, f"{path}?from=x&limit=x", AFAR, secret)
                    assert (answer in (401, 403)) == (scope is not rule.scope), (path, scope, answer)
        assert tried > 30


async def test_what_tells_about_all_environments_wants_a_token_for_all(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        running.services.keyring = lambda: KEYRING
        app = create_app(running.services, DIALECTS, Ingest(running.services))

        for path in ("/health", "/health/actors"):
            assert await status(app, "GET", path, AFAR, "api-partial") == 403
            assert await status(app, "GET", path, HERE, None) == 200


async def test_an_endpoint_without_a_rule_is_not_served(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        app = QuartTrio("bare", static_folder=None)

        @app.route("/new")
        async def new() -> str:
            return "for nobody"

        with pytest.raises(LookupError, match="nobody may use /new"):
            gate.enforce(app, running.services, rules.RULES)


async def test_a_refused_page_can_read_why(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        app = create_app(running.services, DIALECTS, Ingest(running.services))
        answer = await app.test_client().get("/events", headers={"Origin": "https://shop.example"})

        assert answer.status_code == 401
        assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"
