"""What a router has stored, read from its stream."""

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

from router.sse import Parser
from tests.process import RouterProcess

SETTLE = 0.75  # seconds; browser SDKs try again at once (LaunchDarkly 3.x) or after 0.5 s (Statsig): sdk-behaviour.md

Events = list[dict[str, Any]]


def events(process: RouterProcess) -> Events:
    """All events that are stored now, as a reader of the stream gets them."""
    with urllib.request.urlopen(f"{process.url}/health", timeout=10) as answer:
        count = json.load(answer)["environments"][0]["head"]
    request = urllib.request.Request(
        f"{process.url}/events?from=earliest", headers={"Authorization": "api_key api-demo"}
    )
    parser, found = Parser(), Events()
    with urllib.request.urlopen(request, timeout=10) as answer:
        while len(found) < count:
            found.extend(json.loads(message.data) for message in parser.feed(answer.read1()))
    return found


def settled(process: RouterProcess, enough: Callable[[Events], bool], timeout: float = 10.0) -> Events:
    """All events once `enough` of them are there, and a browser would have sent again what it holds for lost."""
    end = time.monotonic() + timeout
    while not enough(found := events(process)):
        if time.monotonic() > end:
            raise AssertionError(f"after {timeout} s there were only these events:\n{json.dumps(found, indent=1)}")
        time.sleep(0.05)
    time.sleep(SETTLE)
    return events(process)


def post(process: RouterProcess, *keys: str) -> str:
    """Post custom events with these keys as a server would; returns their offsets."""
    body = [{"kind": "custom", "key": key, "creationDate": 1, "contextKeys": {"user": "u"}} for key in keys]
    request = urllib.request.Request(
        f"{process.url}/bulk",
        json.dumps(body, ensure_ascii=False).encode(),
        {"Authorization": "sdk-demo", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.headers["Router-Offsets"])
