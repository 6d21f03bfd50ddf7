"""The router itself, with the fast lane and without, empty or full, with one environment or many."""

import sys
import time
import urllib.request
from pathlib import Path

from bench.compare.event import array
from bench.compare.failure import Failure
from bench.compare.peer import Beginning, Peer, Purpose, Resume, request
from bench.compare.tools import Tools

OPEN = 120.0  # seconds for a log of any size
SERVER = """
[server]
bind = ["127.0.0.1:{port}"]
fast_lane = {fast}
max_per_address = 0
[[token]]
name = "bench"
token = "api-bench"
scopes = ["stream", "admin"]
environments = ["*"]
"""
ENVIRONMENT = """
[[environment]]
project = "default"
key = "e{number}"
sdk_keys = ["sdk-bench-{number:04}"]
retention_bytes = "0"
"""


class Router(Peer):
    """The router.

    Args:
        fast: whether its fast lane is on.
        environments: how many it has; posts go to all by turns, streams come from the first.
        stored: a directory with its log from an earlier start, used again at every start; None for an empty one.
    """

    name = "router"
    about = "as it comes, insights counting beside it"
    durable = True

    def __init__(
        self,
        tools: Tools,
        *,
        fast: bool = True,
        environments: int = 1,
        stored: Path | None = None,
        label: str = "router",
    ) -> None:
        super().__init__(tools)
        self.fast = fast
        self.environments = environments
        self.stored = stored
        self.label = label
        if not fast:
            self.about = "fast_lane = false"

    def missing(self) -> str | None:
        return None

    def command(self, folder: Path) -> list[str]:
        config = SERVER.format(port=self.port, fast=str(self.fast).lower())
        config += "".join(ENVIRONMENT.format(number=number) for number in range(self.environments))
        (folder / "router.toml").write_text(config)
        data = self.stored or folder / "data"
        return [
            *(sys.executable, "-m", "router", "serve"),
            *("--config", str(folder / "router.toml"), "--data", str(data)),
        ]

    def posts(self, batch: int, purpose: Purpose = "live") -> list[bytes]:
        headers = {"Content-Type": "application/json", "X-LaunchDarkly-Event-Schema": "4"}
        body = array(batch)
        return [
            request("POST", "/bulk", headers | {"Authorization": f"sdk-bench-{number:04}"}, body)
            for number in range(self.environments if purpose == "spread" else 1)
        ]

    def streams(self, beginning: Beginning) -> dict[str, bytes]:
        path = f"/events?project=default&environment=e0&from={beginning}"
        headers = {"Authorization": "Bearer api-bench"}
        return {
            "server-sent events": request("GET", path, headers | {"Accept": "text/event-stream"}),
            "NDJSON": request("GET", path, headers | {"Accept": "application/x-ndjson"}),
        }

    def resume(self) -> Resume:
        headers = {"Authorization": "Bearer api-bench", "Accept": "text/event-stream", "Last-Event-ID": "@RESUME@"}
        return Resume(request("GET", "/events?project=default&environment=e0", headers), "id: ", 1)

    def prepare(self) -> None:
        """Wait until it is ready: a port that listens is not yet an open log."""
        end = time.monotonic() + OPEN
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=30):
                    return
            except OSError:  # 503 while the log opens is one too
                if time.monotonic() > end:
                    raise Failure(f"the router is not ready: {self.log.read_text()[-500:]}") from None
                time.sleep(0.05)
