"""An environment of which something cannot be read: it is parked with the range named, and its neighbour goes on."""

import http.client
import json
import os
import time
from pathlib import Path

from router.names import EnvironmentName
from router.store.engine import Engine
from router.store.meta import Meta
from tests.process import RouterProcess, router

CONFIG = """
[server]
bind = ["127.0.0.1:0"]
[[environment]]
project = "shop"
key = "hurt"
sdk_keys = ["sdk-hurt"]
[[environment]]
project = "shop"
key = "well"
sdk_keys = ["sdk-well"]
[[token]]
name = "all"
token = "api-all"
scopes = ["stream", "admin"]
environments = ["*"]
"""
EVENTS = 60


def ask(process: RouterProcess, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=20)
    try:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def post(process: RouterProcess, key: str, name: str) -> int:
    event = {"kind": "custom", "key": name, "creationDate": 1, "contextKeys": {"user": os.urandom(200).hex()}}
    return ask(process, "POST", "/bulk", json.dumps([event]).encode(), Authorization=key)[0]


def lines(process: RouterProcess, environment: str) -> list[dict[str, object]]:
    path = f"/events?project=shop&environment={environment}&from=earliest&until=now"
    status, body = ask(process, "GET", path, Authorization="api-all", Accept="application/x-ndjson")
    assert status == 200
    return [json.loads(line) for line in body.split(b"\n") if line]


def hurt(data: Path) -> None:
    """Flip a byte in the middle of the only table that holds the log of `hurt`."""
    engine = Engine.open(data)
    family = engine.family(Meta(engine).log(EnvironmentName("shop", "hurt")).family)
    number = family.tables().split("\n")[1].split(":")[0].strip()
    engine.close()
    table = data / f"{int(number):06}.sst"
    content = bytearray(table.read_bytes())
    content[len(content) // 3] ^= 0xFF
    table.write_bytes(content)


def test_one_environment_is_parked_and_the_other_goes_on(tmp_path: Path) -> None:
    config = tmp_path / "router.toml"
    config.write_text(CONFIG)
    with router(tmp_path / "data", config) as process:
        for number in range(EVENTS):
            assert post(process, "sdk-hurt", f"h{number}") == 202
            assert post(process, "sdk-well", f"w{number}") == 202
        assert process.stop() == 0
        hurt(tmp_path / "data")
        process.start()

        assert [line["key"] for line in lines(process, "well")] == [f"w{number}" for number in range(EVENTS)]
        found = lines(process, "hurt")
        [gap] = [line for line in found if line.get("event") == "gap"]
        kept = [line["key"] for line in found if "key" in line]
        assert gap["reason"] == "damage"
        assert len(kept) + int(str(gap["lost"])) == EVENTS, "every event is there, or said to be lost"

        limit = time.monotonic() + 20
        while post(process, "sdk-hurt", "more") != 503:
            assert time.monotonic() < limit
        assert post(process, "sdk-well", "more") == 202
        _, body = ask(process, "GET", "/health")
        states = {one["environment"]: one for one in json.loads(body)["environments"]}
        assert "cannot be read" in states["shop/hurt"]["fault"]
        assert states["shop/well"]["fault"] is None
        while states["shop/hurt"]["state"] != "failed":
            assert time.monotonic() < limit, states
            time.sleep(0.1)
            states = {one["environment"]: one for one in json.loads(ask(process, "GET", "/health")[1])["environments"]}
        assert ask(process, "GET", "/health/ready")[0] == 200, "the others are served"
