"""Two routers in network namespaces of their own, and a link between them that goes down and up."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.routers import TOKEN, config, to_router

EDGE_ADDRESS, HUB_ADDRESS = "10.211.7.1", "10.211.7.2"
POST = """
import http.client, json, sys
c = http.client.HTTPConnection("127.0.0.1", 8711, timeout=20)
for batch in range(int(sys.argv[1]), int(sys.argv[2])):
    event = {"kind": "custom", "creationDate": 1700000000000, "contextKeys": {"user": "u"}}
    items = [event | {"key": f"{batch}/{n}"} for n in range(10)]
    c.request("POST", "/bulk", json.dumps(items), {"Authorization": "sdk-demo"})
    assert c.getresponse().read() == b""
"""
READ = """
import http.client, sys
c = http.client.HTTPConnection("127.0.0.1", 8711, timeout=20)
c.request("GET", "/" + sys.argv[1], headers={"Authorization": "Bearer " + sys.argv[2]})
r = c.getresponse()
if len(sys.argv) == 3:
    print(r.read().decode())
else:
    found = 0
    while found < int(sys.argv[3]):
        line = r.readline()
        if line.startswith(b"data:"):
            print(line[5:].decode().strip())
            found += 1
"""


class Network:
    """Namespaces `edge` and `hub` with a veth pair between them."""

    def __init__(self, name: str) -> None:
        self.edge, self.hub = f"{name}e", f"{name}h"

    def run(self, *command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise AssertionError(f"{' '.join(command[:6])}: {done.stderr}")
        return done.stdout

    def inside(self, space: str, *command: str) -> str:
        return self.run("ip", "netns", "exec", space, *command)

    def up(self) -> None:
        for space in (self.edge, self.hub):
            self.run("ip", "netns", "add", space)
            self.inside(space, "ip", "link", "set", "lo", "up")
        self.run(
            "ip", "link", "add", self.edge, "netns", self.edge, "type", "veth", "peer", self.hub, "netns", self.hub
        )
        for space, address in ((self.edge, EDGE_ADDRESS), (self.hub, HUB_ADDRESS)):
            self.inside(space, "ip", "addr", "add", f"{address}/24", "dev", space)
        self.link("up")

    def link(self, state: str) -> None:
        for space in (self.edge, self.hub):
            self.inside(space, "ip", "link", "set", space, state)

    def down(self) -> None:
        for space in (self.edge, self.hub):
            subprocess.run(["ip", "netns", "del", space], capture_output=True)


@pytest.fixture
def network() -> Iterator[Network]:
    made = Network(f"rt{os.getpid() % 100_000}")
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("network namespaces need root and the ip command; tests/edge/test_faults.py cuts a proxy instead")
    try:
        made.up()
    except AssertionError as error:
        made.down()
        pytest.skip(f"no network namespaces here: {error}; tests/edge/test_faults.py cuts a proxy instead")
    yield made
    made.down()


@contextlib.contextmanager
def serving(network: Network, space: str, path: Path, *forwards: str) -> Iterator[None]:
    configuration = config(path.with_suffix(".toml"), *forwards)
    command = ["ip", "netns", "exec", space, sys.executable, "-m", "router", "serve", "--config", str(configuration)]
    with path.with_suffix(".log").open("w") as errors:
        process = subprocess.Popen(
            [*command, "--data", str(path), "--bind", "0.0.0.0:8711"], stdout=subprocess.PIPE, stderr=errors, text=True
        )
    try:
        assert process.stdout is not None
        assert "serves on" in process.stdout.readline(), path.with_suffix(".log").read_text()
        yield
    finally:
        process.terminate()
        process.communicate(timeout=40)


def python(network: Network, space: str, script: str, *arguments: str) -> str:
    return network.inside(space, sys.executable, "-c", script, *arguments)


def test_a_link_that_goes_down_and_up(network: Network, tmp_path: Path) -> None:
    forward = to_router(f"http://{HUB_ADDRESS}:8711")
    with (
        serving(network, network.hub, tmp_path / "hub"),
        serving(network, network.edge, tmp_path / "edge", forward),
    ):
        for turn in range(4):
            network.link("up")
            python(network, network.edge, POST, str(turn * 20), str(turn * 20 + 10))
            network.link("down")
            python(network, network.edge, POST, str(turn * 20 + 10), str(turn * 20 + 20))
        network.link("up")
        deadline = time.monotonic() + 90
        while True:
            health = json.loads(python(network, network.edge, READ, "health", TOKEN))
            (stands,) = health["environments"][0]["forwards"]
            if stands["lag"] == 0:
                break
            assert time.monotonic() < deadline, stands
            time.sleep(0.2)
        lines = python(network, network.hub, READ, "events?from=earliest", TOKEN, "800").splitlines()
        assert [json.loads(line)["key"] for line in lines] == [f"{a}/{n}" for a in range(80) for n in range(10)]
        head = json.loads(python(network, network.hub, READ, "health", TOKEN))["environments"][0]["head"]
        assert head == 800
