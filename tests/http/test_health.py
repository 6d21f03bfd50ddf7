"""Health: who may ask, what ready means, and the tree of actors."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from quart_trio import QuartTrio

from router.dialects.launchdarkly import LaunchDarkly
from router.http.app import create_app
from router.http.ingest import Ingest
from tests.http.conftest import Below, below

ACTOR_KEYS = {
    *("name", "state", "since", "progress_age", "mailbox"),
    *("processed", "restarts", "last_error", "waiting_on", "children"),
}


@asynccontextmanager
async def application(path: Path) -> AsyncIterator[tuple[Below, QuartTrio]]:
    async with below(path) as running:
        yield running, create_app(running.services, [LaunchDarkly()], Ingest(running.services))


async def get(app: QuartTrio, path: str, **headers: str) -> tuple[int, dict[str, object]]:
    response = await app.test_client().get(path, headers=headers, scope_base={"client": ("192.0.2.1", 1)})
    return response.status_code, json.loads(await response.get_data())


async def test_live_and_ready_need_no_token(tmp_path: Path) -> None:
    async with application(tmp_path) as (running, app):
        assert (await get(app, "/health/live"))[0] == 200
        assert (await get(app, "/health/ready"))[0] == 200
        running.unready.append("the committer is backoff")
        status, body = await get(app, "/health/ready")
        assert (status, body["reasons"]) == (503, ["the committer is backoff"])
        assert (await get(app, "/health/live"))[0] == 200, "live fails slow"


async def test_the_rest_needs_the_scope_admin_from_afar(tmp_path: Path) -> None:
    async with application(tmp_path) as (_running, app):
        for path in ("/health", "/health/actors", "/health/streams", "/health/actors/committer"):
            assert (await get(app, path))[0] == 401
            assert (await get(app, path, authorization="Bearer api-1"))[0] == 403
            assert (await get(app, path, authorization="Bearer api-all"))[0] == 200


async def test_this_machines_operator_needs_none(tmp_path: Path) -> None:
    async with application(tmp_path) as (_running, app):
        local = {"client": ("127.0.0.1", 1)}
        assert (await app.test_client().get("/health", scope_base=local)).status_code == 200
        proxied = await app.test_client().get("/health", scope_base=local, headers={"X-Forwarded-For": "192.0.2.1"})
        assert proxied.status_code == 401


async def test_health_tells_version_and_environments(tmp_path: Path) -> None:
    async with application(tmp_path) as (_running, app):
        _, body = await get(app, "/health", authorization="Bearer api-all")
        assert body["ready"] is True
        assert body["version"]
        environments = body["environments"]
        assert isinstance(environments, list)
        assert [item["environment"] for item in environments] == ["default/production", "default/staging"]
        assert {item["state"] for item in environments} == {"running"}


async def test_the_tree_has_the_contracts_shape(tmp_path: Path) -> None:
    async with application(tmp_path) as (_running, app):
        _, root = await get(app, "/health/actors", authorization="Bearer api-all")
        assert root.keys() == ACTOR_KEYS
        children = root["children"]
        assert isinstance(children, list)
        assert [child["name"] for child in children] == ["committer", "environments"]
        _, committer = await get(app, "/health/actors/committer", authorization="Bearer api-all")
        assert committer.keys() >= ACTOR_KEYS
        mailbox = committer["mailbox"]
        assert isinstance(mailbox, dict)
        assert mailbox.keys() == {"depth", "capacity", "peak"}
        _, partition = await get(app, "/health/actors/default/production/partition", authorization="Bearer api-all")
        assert partition["name"] == "default/production/partition"


async def test_an_unknown_actor_is_a_404_that_says_where_to_look(tmp_path: Path) -> None:
    async with application(tmp_path) as (_running, app):
        status, body = await get(app, "/health/actors/nobody", authorization="Bearer api-all")
        assert (status, body["code"]) == (404, "not_found")
        assert "GET /health/actors" in str(body["message"])


async def test_an_operator_starts_an_actor_anew(tmp_path: Path) -> None:
    async with application(tmp_path) as (running, app):
        client = app.test_client()
        far, path = {"client": ("192.0.2.1", 1)}, "/health/actors/default/production/partition/restart"
        assert (await client.post(path, scope_base=far)).status_code == 401
        assert (await client.post(path, scope_base=far, headers={"Authorization": "Bearer api-1"})).status_code == 403
        answer = await client.post(path, scope_base=far, headers={"Authorization": "Bearer api-all"})
        found = json.loads(await answer.get_data())
        assert (answer.status_code, found["state"], found["restarts"]) == (200, "running", 0)
        assert found["recent"][-1]["status"] == "stopped", "what became of the one before"
        local = {"client": ("127.0.0.1", 1)}
        for name, status in (("nobody", 404), ("root", 400)):
            assert (await client.post(f"/health/actors/{name}/restart", scope_base=local)).status_code == status
        assert running.services.registry.find("committer").state.value == "running"
