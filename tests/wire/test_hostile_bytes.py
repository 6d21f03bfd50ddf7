"""What one sender sends must not end the connections of others.

Each of these requests makes hypercorn 0.18 raise while it reads: its worker ends, and every connection with it.
"""

import pytest
import trio

from tests.wire.client import converse, status
from tests.wire.conftest import application, plain_hypercorn, wire

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame of HTTP/2 (RFC 9113, 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def upgrade(*headers: bytes) -> bytes:
    return b"\r\n".join([b"GET /gone HTTP/1.1", b"Host: x", b"Connection: Upgrade, HTTP2-Settings", *headers, b"", b""])


WEBSOCKET = (b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
HOSTILE = {
    "settings of no length": upgrade(b"Upgrade: h2c", b"HTTP2-Settings: AAAA"),
    "no path": PREFACE + frame(1, 5, 1, b"\x42\x07CONNECT\x41\x01x"),
    "a path that is not ASCII": PREFACE + frame(1, 5, 1, b"\x82\x86\x41\x01x\x04\x02\xc3\xa9"),
    "a long chain of priorities": PREFACE
    + b"".join(frame(2, 0, number, (number - 2).to_bytes(4, "big") + b"\x10") for number in range(3, 3001, 2)),
    "noise for WebSocket frames": upgrade(*WEBSOCKET) + b"\xff" * 4000,
    "a subprotocol that is not ASCII": upgrade(*WEBSOCKET, b"Sec-WebSocket-Protocol: \xff\xfe"),
}


@pytest.mark.parametrize("request_", HOSTILE.values(), ids=HOSTILE.keys())
async def test_the_others_notice_nothing(request_: bytes) -> None:
    async with wire() as running:
        neighbour = await running.connect()
        await neighbour.send_all(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        while b":\n\n" not in await neighbour.receive_some(65536):
            pass
        answer, _ = await converse(running.port, request_)
        assert status(answer) in (404, 505)
        with trio.fail_after(2):
            assert b":\n\n" in await neighbour.receive_some(65536)
        answer, _ = await converse(running.port, b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na")
        assert answer.endswith(b"size=1")
        assert running.server.statistics().failed == 0, "what is never entered cannot fail"


@pytest.mark.parametrize("request_", HOSTILE.values(), ids=HOSTILE.keys())
async def test_without_the_mend_the_server_ends(request_: bytes) -> None:
    async def send_to_hypercorn() -> None:
        async with plain_hypercorn(application(), keep_alive=75, drain=0.2) as (port, _):
            await converse(port, request_)
            await trio.sleep(1)

    with pytest.raises(ExceptionGroup):
        await send_to_hypercorn()
