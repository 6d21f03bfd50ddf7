"""Stand-ins for the vendors' endpoints: they check every request, keep what they take, and fail as they are told.

What is checked is from protocols/launchdarkly.md 1.1 to 1.4 and protocols/statsig-and-others.md 1.1 to 1.6.
"""

import contextlib
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from uuid import UUID

from tests.sdk.recorder import Exchange, inflated

Failure = Literal["503", "503 later", "429", "408", "500", "reset", "close", "lost", "slow", "noise", "none"]
EVERY: tuple[Failure, ...] = ("503", "503 later", "429", "408", "500", "reset", "close", "lost", "slow", "noise")
"""Those after which the same request is to come again."""


@dataclass
class Vendor:
    """kept: what was taken, in order; repeats: how many requests came again. plan: failures of the next requests.

    limit: bytes of a body, inflated, above which it answers 413. revoked: it answers 401. poison: a body that holds it
    is answered with 400.
    """

    check: Callable[[Exchange], None]
    url: str = ""
    kept: list[Exchange] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    repeats: int = 0
    plan: list[Failure] = field(default_factory=list)
    limit: int = 10_000_000
    revoked: bool = False
    poison: bytes = b"\0"
    answered: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, exchange: Exchange) -> tuple[int, dict[str, str], Failure | None]:
        with self.lock:
            failure = self.plan.pop(0) if self.plan else None
            try:
                self.check(exchange)
            except (AssertionError, KeyError, ValueError) as error:
                self.faults.append(f"{exchange.path}: {error!r}")
                return 400, {}, None
            if failure is not None and failure not in ("lost", "slow", "none"):
                later = {"Retry-After": "1"} if failure == "503 later" else {}
                return int(failure[:3]) if failure[0].isdigit() else 0, later, failure
            if self.revoked:
                return 401, {}, None
            if len(exchange.body) > self.limit:
                return 413, {}, None
            if self.poison in exchange.body:
                return 400, {}, None
            payload = exchange.headers.get("x-launchdarkly-payload-id")
            if payload and any(payload == other.headers.get("x-launchdarkly-payload-id") for other in self.kept):
                self.repeats += 1
            else:
                self.kept.append(exchange)
            return 202, {}, failure

    @property
    def events(self) -> list[bytes]:
        with self.lock:
            return [event for exchange in self.kept for event in exchange.events]


def launchdarkly(exchange: Exchange) -> None:
    """What the real service is known to want."""
    headers, path = exchange.headers, exchange.path
    assert headers["content-type"].startswith("application/json")
    if path.startswith("/events/"):
        assert re.fullmatch(r"/events/(bulk|diagnostic)/demo-client-side-id", path), path
        assert "authorization" not in headers
    else:
        assert path in ("/bulk", "/diagnostic", "/mobile", "/mobile/events/diagnostic"), path
        assert headers["authorization"] == ("mob-demo" if path.startswith("/mobile") else "sdk-demo")
    body = json.loads(exchange.body)
    if isinstance(body, list):
        assert body
        assert all(event["kind"] for event in body)
        assert headers["x-launchdarkly-event-schema"] in ("3", "4")
        UUID(headers["x-launchdarkly-payload-id"])
    else:
        assert body["kind"].startswith("diagnostic")
        assert "x-launchdarkly-payload-id" not in headers


def statsig(exchange: Exchange) -> None:
    """What Statsig's SDKs all send, and its service is known to want."""
    headers = exchange.headers
    assert exchange.path in {f"/v1/{name}" for name in ("log_event", "rgstr", "rgstr_b", "sdk_exception")}
    assert headers["statsig-api-key"] in ("secret-demo", "client-demo")
    assert abs(int(headers["statsig-client-time"]) - time.time() * 1000) < 3_600_000 * 24
    body = json.loads(exchange.body)
    if not exchange.path.endswith("sdk_exception"):
        assert len(body["events"]) == int(headers["statsig-event-count"]) > 0


def anything(exchange: Exchange) -> None:
    """A webhook's receiver takes what comes."""
    json.loads(exchange.body)


@contextlib.contextmanager
def vendor(check: Callable[[Exchange], None]) -> Iterator[Vendor]:
    """A running stand-in."""
    stand_in = Vendor(check)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            exchange = Exchange(self.path, headers, inflated(headers, sent), 202, {})
            status, more, failure = stand_in.take(exchange)
            if failure == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if failure in ("reset", "close", "lost"):
                self.close_connection = True
                self.connection.close()
                return
            if failure == "noise":
                self.wfile.write(b"\x00\x01 this is no HTTP \r\n\r\n")
                self.close_connection = True
                return
            if failure == "slow":
                time.sleep(0.5)
            stand_in.answered.append(status)
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            body = b'{"success":true}' if status == 202 and "log_event" in self.path else b""
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent: what is kept is the log."""

        def finish(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                super().finish()

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A connection that was cut on purpose is no news."""

    with Server(("127.0.0.1", 0), Handler) as server:
        stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield stand_in
        finally:
            server.shutdown()
            thread.join()
