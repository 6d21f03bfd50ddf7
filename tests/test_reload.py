"""SIGHUP: a new configuration in force without a connection dropped, or the old one kept whole."""

import http.client
import json
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from router.sse import Parser
from tests.pairs import write_pair
from tests.process import RouterProcess, router

BODY = b'[{"kind":"custom","key":"%s","creationDate":1700000000000,"contextKeys":{"user":"u"}}]'
SERVER = '[server]\nbind = ["127.0.0.1:0"]\nwatch_interval = 0\n'
ONE = """
[[environment]]
project = "p"
key = "one"
sdk_keys = ["sdk-one-1"]
"""
TOKEN = '[[token]]\nname = "reader"\ntoken = "api-reader"\nscopes = ["stream", "admin"]\n'
WAIT = 10.0


class Configured:
    """A router with a configuration file, which `reload` rewrites."""

    def __init__(self, process: RouterProcess, file: Path) -> None:
        self.process = process
        self.file = file
        self.opened = ExitStack()

    def connect(self) -> http.client.HTTPConnection:
        """A connection that is closed at the end."""
        made = http.client.HTTPConnection("127.0.0.1", self.process.port, timeout=WAIT)
        return self.opened.enter_context(closing(made))

    def reload(self, text: str | None = None, until: str = "the new configuration is in force") -> str:
        """Have the file read again, with `text` in it; returns what was logged until the line that says `until`."""
        if text is not None:
            self.file.write_text(SERVER + text)
        before = len(self.process.errors.read_text())
        self.process.send(signal.SIGHUP)
        deadline = time.monotonic() + WAIT
        while time.monotonic() < deadline:
            logged = self.process.errors.read_text()[before:]
            if until in logged:
                return logged
            time.sleep(0.01)
        raise AssertionError(f"{until!r} was not logged: {logged}")

    def post(self, key: str, name: bytes = b"k", connection: http.client.HTTPConnection | None = None) -> int:
        connection = connection or self.connect()
        connection.request("POST", "/bulk", BODY % name, {"Authorization": key})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def stream(self, query: str = "") -> "Stream":
        connection = self.connect()
        connection.request("GET", f"/events?from=earliest{query}", headers={"Authorization": "Bearer api-reader"})
        answer = self.opened.enter_context(connection.getresponse())
        assert answer.status == 200
        return Stream(answer)


class Stream:
    """A stream that is read message by message."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.answer = answer
        self._parser = Parser()
        self._keys: list[str] = []

    def keys(self, count: int) -> list[str]:
        """The keys of the next `count` events."""
        while len(self._keys) < count:
            messages = self._parser.feed(self.answer.read1())
            self._keys.extend(json.loads(message.data)["key"] for message in messages)
        found, self._keys = self._keys[:count], self._keys[count:]
        return found


@contextmanager
def configured(path: Path, text: str) -> Iterator[Configured]:
    file = path / "router.toml"
    file.write_text(SERVER + text)
    with router(path / "data", file, environ={"NOTIFY_SOCKET": ""}) as process:
        running = Configured(process, file)
        with running.opened:
            yield running


def test_keys_are_rotated_while_connections_and_streams_go_on(tmp_path: Path) -> None:
    with configured(tmp_path, ONE + TOKEN) as running:
        kept = running.connect()
        assert running.post("sdk-one-1", b"first", kept) == 202
        before = kept.sock
        stream = running.stream()
        assert stream.keys(1) == ["first"]
        assert running.post("sdk-one-2", connection=kept) == 401

        running.reload(ONE.replace('"sdk-one-1"', '"sdk-one-1", "sdk-one-2"') + TOKEN)
        assert running.post("sdk-one-1", b"second", kept) == 202
        assert running.post("sdk-one-2", b"third", kept) == 202
        running.reload(ONE.replace('"sdk-one-1"', '"sdk-one-2"') + TOKEN)
        assert running.post("sdk-one-1", connection=kept) == 401
        assert running.post("sdk-one-2", b"fourth", kept) == 202

        assert kept.sock is before, "the connection was dropped"
        assert stream.keys(3) == ["second", "third", "fourth"]


def test_a_broken_configuration_is_refused_whole_with_every_fault(tmp_path: Path) -> None:
    with configured(tmp_path, ONE + TOKEN) as running:
        broken = ONE.replace("sdk-one-1", "sdk-new-key") + '[log]\nrequests = "much"\n[[token]]\nscopes = ["all"]\n'
        logged = running.reload(broken, "the old one stays in force")

        for place in ("log.requests", "token[0].name", "token[0].scopes[0]"):
            assert place in logged
        assert "sdk-new-key" not in logged
        assert running.post("sdk-one-1") == 202
        assert running.post("sdk-new-key") == 401
        running.file.unlink()
        assert "cannot be read" in running.reload(until="the old one stays in force")
        assert running.post("sdk-one-1") == 202


def test_an_environment_is_added_taken_away_and_had_back_with_its_data(tmp_path: Path) -> None:
    two = ONE.replace("one", "two")
    with configured(tmp_path, ONE + TOKEN) as running:
        assert running.post("sdk-two-1") == 401
        running.reload(ONE + two + TOKEN)
        assert running.post("sdk-two-1", b"first") == 202
        stream = running.stream("&project=p&environment=two")
        assert stream.keys(1) == ["first"]

        running.reload(ONE + TOKEN)
        assert running.post("sdk-two-1") == 401
        assert b"retry:" in stream.answer.read(), "its streams end as those of a router that stops"
        running.reload(ONE + two + TOKEN)
        assert running.post("sdk-two-1", b"second") == 202
        stream = running.stream("&project=p&environment=two")
        assert stream.keys(2) == ["first", "second"]

        running.process.kill()
        running.file.write_text(SERVER + ONE + TOKEN)
        running.process.start()
        running.reload(ONE + two + TOKEN)
        stream = running.stream("&project=p&environment=two")
        assert stream.keys(2) == ["first", "second"]
        assert running.post("sdk-two-1", b"third") == 202
        assert stream.keys(1) == ["third"]


def test_limits_are_in_force_and_what_takes_a_restart_is_named(tmp_path: Path) -> None:
    with configured(tmp_path, ONE) as running:
        assert running.post("sdk-one-1", b"k" * 100) == 202
        logged = running.reload('max_body = 150\nbacklog = 7\n[log]\nlevel = "debug"\n' + ONE)

        assert running.post("sdk-one-1", b"k" * 100) == 400
        assert "server.backlog" in logged
        assert "log.level" in logged


def test_a_changed_secret_file_counts(tmp_path: Path) -> None:
    (tmp_path / "one.key").write_text("sdk-from-file-1\n")
    with configured(tmp_path, ONE.replace('"sdk-one-1"', '{ file = "one.key" }')) as running:
        assert running.post("sdk-from-file-1") == 202
        (tmp_path / "one.key").write_text("sdk-from-file-2\n")
        assert running.post("sdk-from-file-2") == 401
        running.reload()
        assert running.post("sdk-from-file-1") == 401
        assert running.post("sdk-from-file-2") == 202


def test_a_new_certificate_is_shown_to_those_who_connect_from_now_on(tmp_path: Path) -> None:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    old = write_pair(certificate, key)
    file = tmp_path / "router.toml"
    file.write_text(f'[server]\nbind = ["127.0.0.1:0"]\ntls_cert = "tls.crt"\ntls_key = "tls.key"\n{ONE}')
    with router(tmp_path / "data", file, secure=True) as process:
        running = Configured(process, file)

        def connect(authority: bytes) -> ssl.SSLSocket:
            context = ssl.create_default_context(cadata=authority.decode())
            plain = socket.create_connection(("127.0.0.1", process.port), timeout=WAIT)
            return context.wrap_socket(plain, server_hostname="localhost")

        with connect(old.cert_pem.bytes()) as kept:
            new = write_pair(certificate, key)
            running.reload()
            connect(new.cert_pem.bytes()).close()
            with pytest.raises(ssl.SSLCertVerificationError):
                connect(old.cert_pem.bytes())
            key.write_text("no key")
            assert "server.tls_cert" in running.reload(until="the old one stays in force")
            connect(new.cert_pem.bytes()).close()
            kept.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert kept.recv(100).startswith(b"HTTP/1.1 200")


def told(manager: socket.socket, state: str) -> dict[str, str]:
    """The next message about `state`; others, such as those of the watchdog, are passed over."""
    while True:
        lines = dict(line.split("=", 1) for line in manager.recv(1000).decode().split("\n"))
        if state in lines:
            return lines


def test_the_service_manager_is_told_when_a_reload_begins_and_ends(tmp_path: Path) -> None:
    file, address = tmp_path / "router.toml", str(tmp_path / "notify")
    file.write_text(SERVER + ONE)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(WAIT)
        manager.bind(address)
        with router(tmp_path / "data", file, environ={"NOTIFY_SOCKET": address}) as process:
            told(manager, "READY")
            before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            Configured(process, file).reload(ONE + TOKEN)
            begun = int(told(manager, "RELOADING")["MONOTONIC_USEC"])
            assert before <= begun <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            assert told(manager, "READY")["READY"] == "1"


def test_many_signals_at_once_end_in_the_last_configuration(tmp_path: Path) -> None:
    with configured(tmp_path, ONE) as running:
        for number in range(20):
            running.file.write_text(SERVER + ONE.replace("sdk-one-1", f"sdk-one-{number}"))
            running.process.send(signal.SIGHUP)
        deadline = time.monotonic() + WAIT
        while running.post("sdk-one-19") != 202:
            assert time.monotonic() < deadline
        assert running.process.stop() == 0


def test_the_demo_has_nothing_to_reload(tmp_path: Path) -> None:
    with router(tmp_path / "data") as process, (running := Configured(process, tmp_path / "none")).opened:
        running.reload(until="there is no configuration file")
        assert running.post("sdk-demo") == 202
