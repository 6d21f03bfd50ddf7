"""`GET /metrics`: for the operator, in Prometheus' format."""

from pathlib import Path

from router.dialects.launchdarkly import LaunchDarkly
from router.http.app import create_app
from router.http.ingest import Ingest
from tests.http.conftest import below

FAR = {"client": ("192.0.2.1", 1)}


async def test_only_operators_read_it(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        running.services.metrics = lambda: b"router_ready 1\n"
        client = create_app(running.services, [LaunchDarkly()], Ingest(running.services)).test_client()
        assert (await client.get("/metrics", scope_base=FAR)).status_code == 401
        some = await client.get("/metrics", scope_base=FAR, headers={"Authorization": "Bearer api-1"})
        assert some.status_code == 403
        answer = await client.get("/metrics", scope_base=FAR, headers={"Authorization": "Bearer api-all"})
        assert (answer.status_code, await answer.get_data()) == (200, b"router_ready 1\n")
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_where_nothing_is_measured_it_says_so(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        client = create_app(running.services, [LaunchDarkly()], Ingest(running.services)).test_client()
        local = {"client": ("127.0.0.1", 1)}
        assert (await client.get("/metrics", scope_base=local)).status_code == 404
