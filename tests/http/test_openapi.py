"""The description and the routes are the same set, and it is a document that tools can read."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from quart_trio import QuartTrio
from werkzeug.routing import Map, Rule

from router.dialects.launchdarkly import LaunchDarkly
from router.dialects.statsig import Statsig
from router.http import rules
from router.http.app import create_app
from router.http.ingest import Ingest
from router.http.openapi import describe, plain
from router.http.operations import OPERATIONS
from tests.http.conftest import below

ADMIN = {"Authorization": "Bearer api-all"}
DIALECTS = (LaunchDarkly(), Statsig())


@asynccontextmanager
async def application(path: Path) -> AsyncIterator[QuartTrio]:
    async with below(path) as running:
        yield create_app(running.services, DIALECTS, Ingest(running.services))


async def test_every_route_is_described_and_every_description_is_served(tmp_path: Path) -> None:
    elsewhere = {route.path for dialect in DIALECTS for route, _ in dialect.misdirected}
    async with application(tmp_path) as app:
        answer = await app.test_client().get("/openapi.json", headers=ADMIN)
        document = json.loads(await answer.get_data())
        served = {
            (plain(route.rule), method.lower())
            for route in app.url_map.iter_rules()
            for method in (route.methods or set()) - {"HEAD", "OPTIONS"}
            if plain(route.rule) not in elsewhere
        }
        described = {(path, method) for path, item in document["paths"].items() for method in item}

        assert described == served
        assert len(described) >= 40


async def test_names_are_unique_and_parameters_are_those_of_the_path(tmp_path: Path) -> None:
    async with application(tmp_path) as app:
        document = json.loads(await (await app.test_client().get("/openapi.json", headers=ADMIN)).get_data())
        operations = [(path, operation) for path, item in document["paths"].items() for operation in item.values()]
        names = [operation["operationId"] for _, operation in operations]

        assert len(names) == len(set(names))
        for path, operation in operations:
            told = [item["name"] for item in operation["parameters"] if item["in"] == "path"]
            assert told == re.findall(r"\{(\w+)\}", path)


def test_an_endpoint_without_a_description_is_found() -> None:
    with pytest.raises(LookupError, match="GET /health/new is not described"):
        describe(Map([Rule("/health/new", methods=["GET"])]), rules.RULES, DIALECTS)


def test_every_path_that_may_be_described_has_a_rule() -> None:
    for path in OPERATIONS:
        rules.rule_of(path.replace("{}", "{x}"), rules.RULES)
