"""An edge and a hub as real processes, posts to one and reads from the other."""

import contextlib
import http.client
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from router.sse import Message, Parser
from tests.process import RouterProcess, router

TOKEN = "api-demo"
ENVIRONMENT = """
[[environment]]
project = "shop"
key = "production"
sdk_keys = ["sdk-demo"]
mobile_keys = ["mob-demo"]
client_side_ids = ["demo-client-side-id"]
statsig_keys = ["secret-demo", "client-demo"]
"""
HEAD = """
[server]
bind = ["127.0.0.1:0"]
[storage]
min_free = "0"
"""
TOKENS = f"""
[[token]]
name = "all"
token = "{TOKEN}"
scopes = ["stream", "ingest", "admin"]
"""


def config(path: Path, *forwards: str, storage: str = "", environment: str = "") -> Path:
    """A configuration file with these `[[environment.forward]]` blocks, each given as its keys."""
    blocks = "".join(f"[[environment.forward]]\n{forward}\n" for forward in forwards)
    path.write_text(f"{HEAD}{storage}{ENVIRONMENT}{environment}{blocks}{TOKENS}")
    return path


@contextlib.contextmanager
def running(
    directory: Path, name: str, *forwards: str, storage: str = "", environment: str = ""
) -> Iterator[RouterProcess]:
    with router(
        directory / name, config(directory / f"{name}.toml", *forwards, storage=storage, environment=environment)
    ) as process:
        yield process


def to_router(url: str, *more: str) -> str:
    return "\n".join(('to = "router"', f'url = "{url}"', f'token = "{TOKEN}"', *more))


def post(port: int, path: str, body: bytes, headers: dict[str, str]) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer


def post_custom(port: int, keys: list[str]) -> bool:
    """LaunchDarkly custom events with these names; whether they were acknowledged."""
    items = [
        {"kind": "custom", "key": key, "creationDate": 1_700_000_000_000, "contextKeys": {"user": "u"}} for key in keys
    ]
    headers = {"Authorization": "sdk-demo", "Content-Type": "application/json"}
    try:
        return post(port, "/bulk", json.dumps(items).encode(), headers).status == 202
    except (OSError, http.client.HTTPException):
        return False


def forwards(port: int) -> dict[str, dict[str, object]]:
    """What `GET /health` says of the first environment's forwards, by name."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", "/health")
        body = msgspec.json.decode(connection.getresponse().read(), type=dict[str, object])
    environments = body["environments"]
    assert isinstance(environments, list)
    return {forward["name"]: forward for forward in environments[0]["forwards"]}


def events(port: int, count: int, *, timeout: float = 30) -> list[Message]:
    """The first `count` events of the stream."""
    found: list[Message] = []
    deadline = time.monotonic() + timeout
    parser = Parser()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    with contextlib.closing(connection):
        connection.request("GET", "/events?from=earliest", headers={"Authorization": f"Bearer {TOKEN}"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        while len(found) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"only {len(found)} of {count} events within {timeout} s")
            data = answer.read1(65536)
            if not data:
                raise AssertionError(f"the stream ended after {len(found)} of {count} events")
            found += [message for message in parser.feed(data) if message.event == "message"]
    return found


def until(condition: Callable[[], bool], what: str, *, timeout: float = 30) -> None:
    """Wait until `condition` holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(0.05)
