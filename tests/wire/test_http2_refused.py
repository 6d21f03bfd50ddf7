"""HTTP/2 is refused: hypercorn would buffer without bound for a client that shuts its window."""

from tests.wire.conftest import wire

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
# HEADERS, END_STREAM and END_HEADERS, stream 1: ":method GET", ":path /", ":scheme http" from the static table, and
# ":authority x" as a literal.
HEADERS = b"\x00\x00\x06\x01\x05\x00\x00\x00\x01" + b"\x82\x84\x86\x41\x01x"


async def test_prior_knowledge_gets_505_and_reaches_no_handler() -> None:
    async with wire() as running:
        stream = await running.connect()
        await stream.send_all(PREFACE + SETTINGS + HEADERS)
        data = b""
        while b"HTTP/2 is not spoken" not in data:
            piece = await stream.receive_some(65536)
            assert piece, data
            data += piece
        assert running.guard is not None
        assert running.guard.statistics().http2 == 1
        await stream.aclose()
