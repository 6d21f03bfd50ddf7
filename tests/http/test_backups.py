"""A checkpoint is made for an admin or on the router's own machine, and for nobody else."""

import json
from dataclasses import replace
from pathlib import Path

from router.dialects.launchdarkly import LaunchDarkly
from router.http.app import create_app
from router.http.ingest import Ingest
from router.pipeline.checkpoints import Checkpoints
from router.store.threads import Threads
from tests.http.conftest import below


async def test_a_checkpoint_is_made_and_discarded(tmp_path: Path) -> None:
    async with below(tmp_path / "db") as running:
        services = replace(running.services, checkpoints=Checkpoints(running.engine, Threads()))
        client = create_app(services, [LaunchDarkly()], Ingest(services)).test_client()
        admin = {"Authorization": "Bearer api-all", "X-Forwarded-For": "203.0.113.9"}

        made = await client.post("/backups", headers=admin)
        assert made.status_code == 201
        body = json.loads(await made.get_data())
        assert (Path(body["path"]) / "CURRENT").exists()
        assert (await client.delete(f"/backups/{body['id']}", headers=admin)).status_code == 204
        assert not Path(body["path"]).exists()
        assert (await client.delete(f"/backups/{body['id']}", headers=admin)).status_code == 404

        reader = {"Authorization": "Bearer api-1", "X-Forwarded-For": "203.0.113.9"}
        assert (await client.post("/backups", headers=reader)).status_code == 403
        stranger = {"X-Forwarded-For": "203.0.113.9"}
        assert (await client.post("/backups", headers=stranger)).status_code == 401
        assert (await client.delete("/backups/000001", headers=stranger)).status_code == 401
