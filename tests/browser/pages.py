"""A shop's web server: pages and SDK bundles, and the flag data that the SDKs ask for, on an origin of its own."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

# The names under which /sdk/ serves them, and where the packages keep them.
BUNDLES = {
    "launchdarkly-2.js": "launchdarkly-js-client-sdk-2/dist/ldclient.min.js",
    "launchdarkly-3.js": "launchdarkly-js-client-sdk/dist/ldclient.min.js",
    "launchdarkly-4.js": "@launchdarkly/js-client-sdk/dist/index.js",
    "statsig.js": "@statsig/js-client/build/statsig-js-client.min.js",
}

FLAGS = {
    "checkout": {"version": 7, "flagVersion": 3, "value": True, "variation": 0, "trackEvents": True},
    "banner": {"version": 4, "flagVersion": 2, "value": "blue", "variation": 1, "trackEvents": False},
}
GOALS = [
    {"kind": "pageview", "key": "goal-seen", "urls": [{"kind": "substring", "substring": "/shop"}]},
    {"kind": "click", "key": "goal-buy", "selector": "#buy", "urls": [{"kind": "substring", "substring": "/shop"}]},
]
STATSIG = {
    "has_updates": True,
    "time": 1_700_000_000_000,
    "hash_used": "none",
    "feature_gates": {"new_cart": {"name": "new_cart", "value": True, "rule_id": "rule-1", "secondary_exposures": []}},
    "dynamic_configs": {
        "prices": {
            "name": "prices",
            "value": {"tea": 3},
            "rule_id": "rule-2",
            "group": "rule-2",
            "secondary_exposures": [],
            "is_device_based": False,
        }
    },
    "layer_configs": {},
}

_PAGE = '<!doctype html><meta charset="utf-8"><title>shop</title>{script}<button id="buy">buy</button>'


class Site:
    """Where pages are. `origin` differs from the router's in its host and its port."""

    def __init__(self, port: int) -> None:
        self.origin = f"http://localhost:{port}"

    def page(self, bundle: str = "") -> str:
        """The address of a page that has loaded `bundle`, one of BUNDLES, or no SDK."""
        return f"{self.origin}/shop/{bundle}"

    @property
    def elsewhere(self) -> str:
        """The address of a page without any script, to leave for."""
        return f"{self.origin}/elsewhere"


class _Handler(BaseHTTPRequestHandler):
    modules: ClassVar[Path]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/sdk/evalx/"):
            self._answer("application/json", json.dumps(FLAGS).encode())
        elif path.startswith("/sdk/goals/"):
            self._answer("application/json", json.dumps(GOALS).encode())
        elif path.removeprefix("/sdk/") in BUNDLES:
            data = (self.modules / BUNDLES[path.removeprefix("/sdk/")]).read_bytes()
            self._answer("text/javascript; charset=utf-8", data)
        elif path.startswith("/shop/"):
            self._answer("text/html", _PAGE.format(script=_script(path.removeprefix("/shop/"))).encode())
        else:
            self._answer("text/html", _PAGE.format(script="").encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer("application/json", json.dumps(STATSIG).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        pass

    def _answer(self, kind: str, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(data)


def _script(bundle: str) -> str:
    if bundle == "launchdarkly-4.js":  # a module without a global
        return f'<script type="module">import * as sdk from "/sdk/{bundle}"; window.LDClient = sdk;</script>'
    return f'<script src="/sdk/{bundle}"></script>' if bundle else ""


@contextlib.contextmanager
def site(modules: Path) -> Iterator[Site]:
    """A running site that serves the bundles in `modules`, a `node_modules` folder."""
    handler = type("Handler", (_Handler,), {"modules": modules})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield Site(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
