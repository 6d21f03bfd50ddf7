"""A proxy between an SDK and the router that writes down what was sent and what was answered, byte for byte."""

import contextlib
import gzip
import http.client
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from backports import zstd

from router.dialects.json import split_array, split_member

BACK = 15.0  # seconds in which a router has started, on however busy a machine
HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "host", "date", "server"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """A post and its answer. body: inflated. status: of the router, also where the SDK was told something else."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int
    answer: dict[str, str]

    @property
    def events(self) -> list[bytes]:
        """The events as sent, for either vendor's envelope; a diagnostic object is one event."""
        if self.body.lstrip().startswith(b"["):
            return split_array(self.body)
        elements, _ = split_member(self.body, "events")
        return [self.body] if elements is None else elements


@dataclass
class Recorder:
    """Forwards to `target` (HOST:PORT), which may come and go. `lose` answers of the next posts are turned into a 503:
    the router has stored the events, and the SDK does not hear of it.

    While nobody listens, a post is refused once; its retry waits until somebody does, since how soon a router is back
    is the machine's business, and these SDKs try only once more.
    """

    target: str
    url: str = ""
    exchanges: list[Exchange] = field(default_factory=list)
    lose: int = 0
    _refused: set[bytes] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def accepted(self, *, fresh: bool = True) -> list[Exchange]:
        """Posts that the router took, without those that it recognised as retries if only `fresh` ones are wanted."""
        return [
            exchange
            for exchange in self.exchanges
            if exchange.status == 202 and not (fresh and exchange.answer.get("router-duplicate"))
        ]

    def forward(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        try:
            with contextlib.closing(http.client.HTTPConnection(self.target, timeout=20)) as connection:
                self._connect(connection, body)
                connection.request(method, path, body, {k: v for k, v in headers.items() if k not in HOP_BY_HOP})
                got = connection.getresponse()
                status, data = got.status, got.read()
                answer = {name.lower(): value for name, value in got.headers.items()}
        except (OSError, http.client.HTTPException):
            status, answer, data = 503, {"content-type": "application/json"}, b'{"success":false}'
        with self._lock:
            if method == "POST":
                self.exchanges.append(Exchange(path, headers, inflated(headers, body), status, answer))
                if status == 202 and self.lose > 0:
                    self.lose -= 1
                    return 503, {"content-type": "application/json"}, b'{"success":false}'
        return status, answer, data

    def _connect(self, connection: http.client.HTTPConnection, body: bytes) -> None:
        until = time.monotonic() + BACK
        while True:
            try:
                connection.connect()
            except ConnectionRefusedError:
                if body not in self._refused or time.monotonic() > until:
                    self._refused.add(body)
                    raise
                time.sleep(0.05)
            else:
                return


def inflated(headers: dict[str, str], body: bytes) -> bytes:
    encoding = headers.get("content-encoding", "")
    if "gzip" in encoding:
        return gzip.decompress(body)
    return zstd.decompress(body) if "zstd" in encoding else body


@contextlib.contextmanager
def recorder(target: str, specs: dict[str, Any] | None = None) -> Iterator[Recorder]:
    """A running proxy; GETs below `/v1` and `/v2` are answered with `specs`, Statsig's configuration."""
    recording = Recorder(target)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self._pass_on("POST")

        def do_GET(self) -> None:
            if specs is not None and "config_specs" in self.path:
                self._answer(200, {"content-type": "application/json"}, json.dumps(specs).encode())
                return
            self._pass_on("GET")

        def _pass_on(self, method: str) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._answer(*recording.forward(method, self.path, headers, self._body()))

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent: the exchanges are the log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        recording.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield recording
        finally:
            server.shutdown()
            thread.join()
