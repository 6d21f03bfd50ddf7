"""The documented nginx configuration, in the real nginx, in front of a real router."""

import http.client
import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from router.sse import Parser
from tests.pairs import write_pair
from tests.process import RouterProcess, router

CONFIGURATION: Final = Path(__file__).parents[2] / "docs" / "proxies" / "nginx.conf"
NGINX: Final = shutil.which("nginx") or "/usr/sbin/nginx"
EVENT: Final = b'[{"kind":"custom","key":"%s","creationDate":1700000000000,"contextKeys":{"user":"u"}}]'
FRAME: Final = """
error_log {folder}/error.log;
pid {folder}/nginx.pid;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {site}
}}
"""

if not Path(NGINX).exists():
    pytest.skip("nginx is not installed: apt-get install nginx-light", allow_module_level=True)


class Proxied:
    """A router and the nginx in front of it."""

    def __init__(self, process: RouterProcess, port: int, context: ssl.SSLContext) -> None:
        self.process = process
        self._port = port
        self._context = context

    @contextmanager
    def connection(self) -> Iterator[http.client.HTTPSConnection]:
        made = http.client.HTTPSConnection("localhost", self._port, timeout=10, context=self._context)
        try:
            yield made
        finally:
            made.close()

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> int:
        with self.connection() as connection:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            with connection.getresponse() as answer:
                answer.read()
                return answer.status


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    folder = tmp_path_factory.mktemp("nginx")
    authority = write_pair(folder / "crt", folder / "key")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with router() as process:
        site = CONFIGURATION.read_text()
        for documented, here in (
            ("127.0.0.1:8080", f"127.0.0.1:{process.port}"),
            ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
            ("events.example;", "localhost;"),
            ("/etc/ssl/certs/events.example.pem", str(folder / "crt")),
            ("/etc/ssl/private/events.example.key", str(folder / "key")),
        ):
            assert site.count(documented) == 1, documented
            site = site.replace(documented, here)
        (folder / "nginx.conf").write_text(FRAME.format(folder=folder, site=site))
        command = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as nginx:
            try:
                _wait_for(port, folder)
                context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
                yield Proxied(process, port, context)
            finally:
                nginx.terminate()


def _wait_for(port: int, folder: Path) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            log = folder / "error.log"
            assert time.monotonic() < deadline, log.read_text() if log.exists() else "nginx did not start"
            time.sleep(0.05)
        else:
            return


def test_events_come_in_and_go_out_at_once(proxied: Proxied) -> None:
    with proxied.connection() as reader:
        reader.request("GET", "/events?from=latest", headers={"Authorization": "Bearer api-demo"})
        with reader.getresponse() as stream:
            parser = Parser()
            assert stream.status == 200
            for number in range(3):
                key = b"key-%d" % number
                assert proxied.ask("POST", "/bulk", EVENT % key, Authorization="sdk-demo") == 202
                found: list[str] = []
                while not found:
                    found = [json.loads(message.data)["key"] for message in parser.feed(stream.read1())]
                assert found == [key.decode()]


def test_whoever_comes_through_the_proxy_is_not_the_operator(proxied: Proxied) -> None:
    for path in ("/health", "/health/actors", "/openapi.json", "/docs"):
        assert proxied.ask("GET", path) == 401
        assert proxied.ask("GET", path, X_Forwarded_For="127.0.0.1") == 401
        assert proxied.ask("GET", path, Authorization="Bearer api-demo") == 200
    assert proxied.ask("GET", "/health/live") == 200


def test_double_slashes_reach_the_router(proxied: Proxied) -> None:
    assert proxied.ask("POST", "//bulk", EVENT % b"k", Authorization="sdk-demo") == 202


def test_posts_on_one_connection_after_pauses(proxied: Proxied) -> None:
    with proxied.connection() as connection:
        for _ in range(20):
            connection.request("POST", "/bulk", EVENT % b"k", {"Authorization": "sdk-demo"})
            with connection.getresponse() as answer:
                answer.read()
                assert answer.status == 202


def test_a_body_at_the_limit_is_the_routers_to_judge(proxied: Proxied) -> None:
    body = b"[" + b" " * (10 * 1024 * 1024 - 2) + b"]"

    assert proxied.ask("POST", "/bulk", body, Authorization="sdk-demo") == 202
