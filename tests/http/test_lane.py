"""The fast lane and the plain route give the same answers to the same bytes, usual and unusual."""

import contextlib
import gzip
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process import PLAIN, RouterProcess, router

EVENT = b'[{"kind":"custom","key":"k","creationDate":1,"contextKeys":{"user":"u"}}]'
STATSIG = b'{"events":[{"eventName":"n","user":{"userID":"u"},"time":1700000000000}]}'


def post(path: bytes, body: bytes, *headers: bytes, length: bytes | None = None) -> bytes:
    declared = b"%d" % len(body) if length is None else length
    lines = [b"POST " + path + b" HTTP/1.1", b"Host: x", b"Content-Length: " + declared, *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(path: bytes, body: bytes, *headers: bytes) -> bytes:
    lines = [b"POST " + path + b" HTTP/1.1", b"Host: x", b"Transfer-Encoding: chunked", *headers]
    pieces = b"".join(b"%x\r\n%b\r\n" % (len(body[n : n + 7]), body[n : n + 7]) for n in range(0, len(body), 7))
    return b"\r\n".join(lines) + b"\r\n\r\n" + pieces + b"0\r\n\r\n"


KEY = b"Authorization: sdk-demo"
REQUESTS = {
    "post": post(b"/bulk", EVENT, KEY),
    "api key form": post(b"/bulk", EVENT, b"Authorization: api_key sdk-demo"),
    "chunked": chunked(b"/bulk", EVENT, KEY),
    "gzip": post(b"/bulk", gzip.compress(EVENT), KEY, b"Content-Encoding: gzip"),
    "statsig": post(b"/v1/log_event", STATSIG, b"statsig-api-key: secret-demo"),
    "statsig key in the query": post(b"/v1/rgstr?k=client-demo", STATSIG),
    "unknown key": post(b"/bulk", EVENT, b"Authorization: nobody"),
    "no key": post(b"/bulk", EVENT),
    "unknown client": post(b"/events/bulk/nobody", EVENT),
    "browser": post(b"/events/bulk/demo-client-side-id", EVENT, b"Origin: https://shop.example"),
    "not json": post(b"/bulk", b"[{", KEY),
    "one broken": post(b"/bulk", b'[{"kind":"custom","key":"a","creationDate":1},7]', KEY),
    "empty array": post(b"/bulk", b"[]", KEY),
    "empty body": post(b"/bulk", b"", KEY),
    "double slash": post(b"//bulk", EVENT, KEY),
    "escaped path": post(b"/b%75lk", EVENT, KEY),
    "absolute form": post(b"http://x/bulk", EVENT, KEY),
    "unknown path": post(b"/nowhere", EVENT, KEY),
    "wrong method": b"PUT /bulk HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "head": b"HEAD /bulk HTTP/1.1\r\nHost: x\r\n\r\n",
    "http 1.0": b"POST /bulk HTTP/1.0\r\nHost: x\r\nAuthorization: sdk-demo\r\nContent-Length: 2\r\n\r\n[]",
    "closing": post(b"/bulk", EVENT, KEY, b"Connection: close"),
    "expecting": post(b"/bulk", EVENT, KEY, b"Expect: 100-continue"),
    "upgrade": post(b"/bulk", EVENT, KEY, b"Connection: Upgrade", b"Upgrade: h2c"),
    "two lengths": post(b"/bulk", EVENT, KEY, b"Content-Length: 1"),
    "length and chunks": post(b"/bulk", EVENT, KEY, b"Transfer-Encoding: chunked"),
    "bad length": post(b"/bulk", EVENT, KEY, length=b"+3"),
    "bad chunk": b"POST /bulk HTTP/1.1\r\nHost: x\r\nAuthorization: sdk-demo\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "folded": post(b"/bulk", EVENT, KEY, b"X-A: a\r\n b"),
    "large head": post(b"/bulk", EVENT, KEY, b"X-A: " + b"a" * 300_000),
    "preflight": b"OPTIONS /events/bulk/demo-client-side-id HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example\r\n"
    b"Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n\r\n",
    "image": b"GET /a/demo-client-side-id.gif?d=W10 HTTP/1.1\r\nHost: x\r\n\r\n",
    "specs": b"GET /v1/download_config_specs/secret-demo.json HTTP/1.1\r\nHost: x\r\n\r\n",
    "live": b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
    "stream without a token": b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n",
    "stream with a bad parameter": b"GET /events?token=api-demo&kind=x HTTP/1.1\r\nHost: x\r\n\r\n",
    "ended stream": b"GET /events?token=api-demo&until=now&from=latest HTTP/1.1\r\nHost: x\r\n\r\n",
    "lines": b"GET /events?token=api-demo&until=now HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n",
    "two in a row": post(b"/bulk", EVENT, KEY) + post(b"/v1/log_event", STATSIG, b"statsig-api-key: secret-demo"),
    "a cold one behind": post(b"/bulk", EVENT, KEY) + b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
    "a hot one behind a cold one": b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n" + post(b"/bulk", EVENT, KEY),
    "nonsense": b"\x00\x01\x02\r\n\r\n",
}
UNLIKE = re.compile(
    rb"(?i)^(date|router-offsets|connection|transfer-encoding|content-length|cache-control): .*?\r\n", re.MULTILINE
)
HARDENING = (b"x-", b"referrer", b"cross", b"permis", b"content-sec")


@pytest.fixture(scope="module")
def routers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RouterProcess, RouterProcess]]:
    folder = tmp_path_factory.mktemp("lanes")
    config = folder / "plain.toml"
    config.write_text(PLAIN)
    with router(folder / "fast") as fast, router(folder / "plain", config) as plain:
        yield fast, plain


def exchange(process: RouterProcess, data: bytes) -> bytes:
    """Everything that comes back to `data`, in pieces, until nothing more does."""
    with contextlib.closing(socket.create_connection(("127.0.0.1", process.port), timeout=10)) as client:
        for start in range(0, len(data), 1000):
            try:
                client.sendall(data[start : start + 1000])
            except OSError:
                break
        client.settimeout(0.7)
        answer = b""
        try:
            while piece := client.recv(65536):
                answer += piece
        except OSError:
            pass
        return answer


def comparable(answer: bytes) -> list[tuple[bytes, frozenset[bytes], bytes]]:
    """Status, headers that matter, body; of each answer."""
    found = []
    for part in re.split(rb"(?=HTTP/1\.1 \d{3} )", answer):
        if part:
            head, _, body = part.partition(b"\r\n\r\n")
            status, _, rest = head.partition(b"\r\n")
            lines = frozenset(line.lower() for line in UNLIKE.sub(b"", rest + b"\r\n").split(b"\r\n") if line)
            ours = frozenset(line for line in lines if not line.startswith(HARDENING))
            found.append((status.split(b" ")[1], ours, re.sub(rb"^[0-9a-f]+\r\n|\r\n0\r\n\r\n$|\r\n$", b"", body)))
    return found


@pytest.mark.parametrize("name", REQUESTS)
def test_both_say_the_same(routers: tuple[RouterProcess, RouterProcess], name: str) -> None:
    fast, plain = (exchange(process, REQUESTS[name]) for process in routers)

    assert comparable(fast) == comparable(plain), (fast, plain)


def test_the_lane_serves_what_it_is_for(tmp_path: Path) -> None:
    """Else the comparison above would compare the plain route with itself."""
    with router(tmp_path / "data") as process:
        exchange(process, REQUESTS["two in a row"])
        metrics = exchange(process, b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").decode()
        assert re.search(r"^router_lane_requests_total 2(\.0)?\r?$", metrics, re.MULTILINE)
