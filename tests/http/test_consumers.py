"""Named consumers over HTTP: acknowledge, list, resume, forget."""

import json
from pathlib import Path

from router.http.app import create_app
from router.http.ingest import Ingest
from router.pipeline.ledger import Append
from tests.http.conftest import PRODUCTION, below
from tests.pipeline.conftest import body

READER = {"Authorization": "Bearer api-1"}


async def test_a_consumer_acknowledges_resumes_and_is_forgotten(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        environment = running.environments[PRODUCTION]
        await environment.mailbox.ask(Append(body(4), 4), timeout=5)
        epoch = environment.log.epoch
        client = create_app(running.services, [], Ingest(running.services)).test_client()

        acked = await client.post("/consumers/w/ack", headers=READER, json={"cursor": f"{epoch}-1"})
        assert (acked.status_code, await acked.get_data()) == (204, b"")
        listed = json.loads(await (await client.get("/consumers", headers=READER)).get_data())
        now = running.services.clock.now()
        assert listed == {"items": [{"name": "w", "cursor": f"{epoch}-1", "lag": 2, "acked_at": now}]}
        lines = READER | {"Accept": "application/x-ndjson"}
        resumed = await client.get("/events?consumer=w&from=earliest&until=now", headers=lines)
        assert (await resumed.get_data()).split() == [b'{"n":2}', b'{"n":3}']
        assert (await client.delete("/consumers/w", headers=READER)).status_code == 204
        assert (await client.delete("/consumers/w", headers=READER)).status_code == 404


async def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    async with below(tmp_path) as running:
        await running.environments[PRODUCTION].mailbox.ask(Append(body(4), 4), timeout=5)
        client = create_app(running.services, [], Ingest(running.services)).test_client()
        for sent in ({"cursor": "abcdefgh-1"}, {"cursor": 1}, {}, {"cursor": "abcdefgh-1", "x": 1}):
            assert (await client.post("/consumers/w/ack", headers=READER, json=sent)).status_code == 400
        assert (await client.post("/consumers/w/ack", headers=READER, data=b"{")).status_code == 400
        assert (await client.post("/consumers/w/ack", json={"cursor": "x"})).status_code == 401
        several = {"Authorization": "Bearer api-all"}
        assert (await client.get("/consumers", headers=several)).status_code == 400
