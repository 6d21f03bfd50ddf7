"""What was set aside can be read by an admin, and by nobody else."""

import json
from pathlib import Path

from quart_trio import QuartTrio

from router.dialects.launchdarkly import LaunchDarkly
from router.http.app import create_app
from router.http.ingest import Ingest
from tests.http.conftest import below


async def get(app: QuartTrio, query: str = "", token: str = "api-all") -> tuple[int, dict[str, object]]:
    response = await app.test_client().get(f"/quarantine{query}", headers={"Authorization": f"Bearer {token}"})
    return response.status_code, json.loads(await response.get_data())


async def test_items_come_newest_first_with_their_reason(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        app = create_app(running.services, [LaunchDarkly()], Ingest(running.services))
        for key, body in (("sdk-1", b"[1]"), ("sdk-2", b"[2]")):
            posted = await app.test_client().post("/bulk", data=body, headers={"Authorization": key})
            assert posted.status_code == 202

        status, found = await get(app)
        items = found["items"]
        assert isinstance(items, list)
        assert status == 200
        assert {(item["environment"], item["raw"]) for item in items} == {
            ("default/production", "1"),
            ("default/staging", "2"),
        }
        assert items[0].keys() == {"time", "environment", "dialect", "endpoint", "reason", "size", "raw"}
        _, one = await get(app, "?project=default&environment=staging")
        assert isinstance(one["items"], list)
        assert [item["raw"] for item in one["items"]] == ["2"]


async def test_the_scope_admin_is_needed_and_bad_parameters_are_named(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        app = create_app(running.services, [LaunchDarkly()], Ingest(running.services))

        assert (await get(app, token="nobody"))[0] == 401
        assert (await get(app, token="api-1"))[0] == 403
        assert (await get(app, "?limit=0"))[0] == 400
        assert (await get(app, "?limit=x"))[0] == 400
        assert (await get(app, "?project=default"))[0] == 400
