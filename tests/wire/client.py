"""A client that sends the bytes it is told to, whatever they mean, and tells what comes back."""

import trio

PAUSE = 0.3  # seconds without a byte after which an answer on an open connection is taken to be whole


async def converse(port: int, *pieces: bytes) -> tuple[bytes, bool]:
    """Send `pieces` on a new connection. Returns what came until the end or a pause, and whether it came to the end."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        try:
            for piece in pieces:
                await stream.send_all(piece)
        except trio.BrokenResourceError:
            pass
        return await hear(stream)


async def hear(stream: trio.abc.ReceiveStream) -> tuple[bytes, bool]:
    """What comes until the end of the connection or a pause, and whether it came to the end."""
    heard = b""
    while True:
        piece = b""
        with trio.move_on_after(PAUSE) as pause:
            try:
                piece = bytes(await stream.receive_some(65536))
            except trio.BrokenResourceError:
                return heard, True
        if pause.cancelled_caught:
            return heard, False
        if not piece:
            return heard, True
        heard += piece


def status(answer: bytes) -> int:
    """The status of the first answer in these bytes."""
    return int(answer.split(b" ", 2)[1])
