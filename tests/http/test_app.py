"""The routes: every dialect's paths are served, and everything else is refused in one shape."""

import json
from pathlib import Path

import pytest

from router.dialects.launchdarkly import LaunchDarkly
from router.dialects.statsig import Statsig
from router.http.app import create_app
from router.http.ingest import Ingest
from tests.http.conftest import CLIENT_ID, below

EVENT = b'[{"kind":"custom","key":"k","creationDate":1700000000000,"contextKeys":{"user":"u"}}]'


async def test_every_route_of_every_dialect_reaches_its_dialect(tmp_path: Path) -> None:
    """A route that is missing would answer 404, which silences LaunchDarkly's SDKs for good."""
    async with below(tmp_path) as running:
        dialects = (LaunchDarkly(), Statsig(("/metrics/collect",)))
        client = create_app(running.services, dialects, Ingest(running.services)).test_client()
        for dialect in dialects:
            for route in dialect.routes:
                path = route.path.replace("{client_side_id}", CLIENT_ID).replace("{image}", CLIENT_ID)
                path = path.replace("{project}", "default").replace("{environment}", "production")
                response = await client.open(path, method=route.method, json=None)
                assert response.status_code in (200, 202, 400, 401), path
                if route.cors is not None:
                    preflight = await client.options(path, headers={"Origin": "https://shop.example"})
                    assert preflight.status_code == route.cors.preflight_status, path


async def test_a_post_is_answered_with_its_offsets(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        client = create_app(running.services, [LaunchDarkly()], Ingest(running.services)).test_client()
        response = await client.post("/bulk", data=EVENT, headers={"Authorization": "sdk-1"})

        assert response.status_code == 202
        assert response.headers["Router-Offsets"] == "0-0"
        assert response.headers["Router-Durability"] == "fsync"
        assert await response.get_data() == b""


async def test_headers_that_come_twice_are_joined_and_queries_are_decoded(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        client = create_app(running.services, [Statsig()], Ingest(running.services)).test_client()
        response = await client.post("/v1/rgstr?k=secret-1&t=1700000000000", data=b'{"events":[{"eventName":"e"}]}')

        assert response.status_code == 202


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/no/such/path", 404, "not_found"), ("GET", "/bulk", 405, "method_not_allowed")],
)
async def test_what_is_not_served_says_so_in_json(
    tmp_path: Path, method: str, path: str, status: int, code: str
) -> None:
    async with below(tmp_path) as running:
        client = create_app(running.services, [LaunchDarkly()], Ingest(running.services)).test_client()
        response = await client.open(path, method=method, json=None)

        assert response.status_code == status
        assert json.loads(await response.get_data())["code"] == code


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/download_config_specs/secret-1.json"),
        ("GET", "/v2/download_config_specs/secret-1.json"),
        ("POST", "/v1/get_id_lists"),
        ("POST", "/v1/initialize?k=client-1"),
    ],
)
async def test_what_an_sdk_asks_for_when_its_api_is_pointed_here_is_a_404_that_says_so(
    tmp_path: Path, method: str, path: str
) -> None:
    """It falls back to its defaults; a browser must be able to read the answer (statsig-and-others.md 1.10)."""
    async with below(tmp_path) as running:
        client = create_app(running.services, [Statsig()], Ingest(running.services)).test_client()
        origin = {"Origin": "https://shop.example"}
        answer = await client.open(path, method=method, headers=origin, json=None)
        assert answer.status_code == 404
        assert "log event URL" in json.loads(await answer.get_data())["message"]
        assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        preflight = await client.options(path, headers=origin)
        assert preflight.status_code == 204
        assert method in preflight.headers["Access-Control-Allow-Methods"]
