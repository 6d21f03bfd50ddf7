"""SDK, edge, link, hub: with the link cut and both routers killed at random, what the edge acknowledged is at the hub,
once, and in order."""

import itertools
import json
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from random import Random

import pytest

from tests.edge.link import Link, link
from tests.edge.routers import events, forwards, post_custom, running, to_router, until
from tests.process import RouterProcess
from tests.sdk.recorder import recorder

ROUNDS = 12


def delivered(edge: RouterProcess) -> bool:
    (stands,) = forwards(edge.port).values()
    return stands["lag"] == 0


def head(process: RouterProcess) -> int:
    with urllib.request.urlopen(f"{process.url}/health", timeout=10) as answer:
        return int(json.load(answer)["environments"][0]["head"])


def trouble(random: Random, wire: Link, edge: RouterProcess, hub: RouterProcess) -> None:
    """One bad moment, chosen at random, and its end."""
    match random.choice(("cut", "budget", "edge", "hub", "both", "hub stop")):
        case "cut":
            wire.cut()
        case "budget":
            wire.restore(random)
        case "edge":
            edge.kill()
        case "hub":
            hub.kill()
        case "both":
            hub.kill()
            edge.kill()
        case "hub stop":
            hub.stop()
    time.sleep(random.uniform(0.0, 0.4))
    for process in (hub, edge):
        if not process.running:
            process.start()
    wire.restore()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2])
def test_everything_acknowledged_is_at_the_hub_once_and_in_order(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    acknowledged: list[str] = []
    stop = threading.Event()
    with (
        running(tmp_path, "hub") as hub,
        link(("127.0.0.1", hub.port)) as wire,
        running(tmp_path, "edge", to_router(wire.url)) as edge,
    ):

        def load() -> None:
            sender = Random(seed)
            for batch in itertools.count():
                keys = [f"{batch}/{n}" for n in range(sender.randint(1, 40))]
                if post_custom(edge.port, keys):
                    acknowledged.extend(keys)
                if stop.wait(0.005):
                    return

        loading = threading.Thread(target=load)
        loading.start()
        for _ in range(ROUNDS):
            time.sleep(random.uniform(0.1, 0.6))
            trouble(random, wire, edge, hub)
        stop.set()
        loading.join()
        assert acknowledged
        until(lambda: delivered(edge), "the edge has delivered all", timeout=120)
        count = head(edge)
        at_edge = [message.data for message in events(edge.port, count)]
        at_hub = [message.data for message in events(hub.port, count)]
        assert head(hub) == count, "nothing at the hub twice"
        assert at_hub == at_edge, "in order, byte for byte"
        keys = [json.loads(data)["key"] for data in at_hub]
        assert set(acknowledged) <= set(keys)
        assert wire.cuts > 0


@pytest.mark.timeout(180)
def test_an_official_sdk_through_an_edge_over_a_bad_link(tmp_path: Path) -> None:
    random = Random(3)
    with (
        running(tmp_path, "hub") as hub,
        link(("127.0.0.1", hub.port)) as wire,
        running(tmp_path, "edge", to_router(wire.url)) as edge,
        recorder(edge.url.removeprefix("http://")) as recording,
    ):
        command = [sys.executable, "-m", "tests.sdk.drive_launchdarkly", recording.url, "--pauses", "20"]
        driving = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while driving.poll() is None:
            wire.restore(random)
            time.sleep(random.uniform(0.05, 0.3))
            wire.cut()
            time.sleep(random.uniform(0.05, 0.3))
        driving.communicate()
        wire.restore()
        until(lambda: delivered(edge), "the edge has delivered all", timeout=90)
        sent = [event for exchange in recording.accepted() for event in exchange.events]
        at_hub = [message.data.encode() for message in events(hub.port, len(sent))]
        assert sorted(at_hub) == sorted(sent), "what the SDK was told is stored is at the hub, once, as sent"
        assert head(hub) == len(sent)
