"""HTTP/2 is not spoken: hypercorn would buffer without bound for a client that shuts its window."""

import trio

from tests.wire.client import converse, status
from tests.wire.conftest import application, plain_hypercorn, wire

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
# HEADERS, END_STREAM and END_HEADERS, stream 1: ":method GET", ":path /", ":scheme http" from the static table, and
# ":authority x" as a literal.
HEADERS = b"\x00\x00\x06\x01\x05\x00\x00\x00\x01" + b"\x82\x84\x86\x41\x01x"
# What the HTTP client of Java sends with its first request on every plain connection.
PROPOSAL = (
    b"GET /events HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n\r\n"
)


async def test_prior_knowledge_gets_505_and_reaches_no_handler() -> None:
    async with wire() as running:
        answer, ended = await converse(running.port, PREFACE + SETTINGS + HEADERS)
        assert answer.startswith(b"HTTP/1.1 505 ")
        assert b"HTTP/2 is not spoken" in answer
        assert ended
        assert running.guard is not None
        assert running.guard.statistics().http2 == 1


async def test_a_proposal_of_http2_is_passed_over() -> None:
    """A server may (RFC 9110, 7.8), and a reader in Java gets its stream."""
    async with wire() as running:
        stream = await running.connect()
        await stream.send_all(PROPOSAL)
        heard = b""
        with trio.fail_after(2):
            while b":\n\n" not in heard:
                heard += await stream.receive_some(65536)
        assert status(heard) == 200


async def test_without_the_mend_it_is_accepted() -> None:
    async with plain_hypercorn(application(), keep_alive=75, drain=0.2) as (port, _):
        answer, _ = await converse(port, PREFACE + SETTINGS + HEADERS)
        assert answer[3:5] == b"\x04\x00", "a SETTINGS frame"
        answer, _ = await converse(port, PROPOSAL.replace(b"/events", b"/gone"))
        assert status(answer) == 101
