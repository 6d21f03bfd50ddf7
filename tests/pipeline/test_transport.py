"""Requests over real sockets: what comes back, and what counts as no answer."""

from collections.abc import Awaitable, Callable

import pytest
import trio

from router.pipeline.outgoing import Post
from router.pipeline.transport import MOST_OF_AN_ANSWER, Unreached, connections

Serve = Callable[[trio.SocketStream], Awaitable[None]]


async def url(nursery: trio.Nursery, serve: Serve) -> str:
    listeners = await nursery.start(trio.serve_tcp, serve, 0)
    return f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/path?q=1"


async def request(stream: trio.SocketStream) -> bytes:
    data = b""
    while not data.endswith(b"hello"):
        data += await stream.receive_some()
    return data


def answering(answer: bytes, seen: list[bytes]) -> Serve:
    async def serve(stream: trio.SocketStream) -> None:
        seen.append(await request(stream))
        await stream.send_all(answer)
        await stream.aclose()

    return serve


async def test_a_request_and_its_answer(nursery: trio.Nursery) -> None:
    seen: list[bytes] = []
    answer = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nX-Two: a\r\nContent-Length: 2\r\n\r\nno"
    target = await url(nursery, answering(answer, seen))
    async with connections(1) as send:
        got = await send(Post(target, (("X-Mine", "1"), ("Content-Type", "text/plain")), b"hello"))
    assert (got.status, got.headers["retry-after"], got.body) == (503, "7", b"no")
    head = seen[0].lower()
    assert head.startswith(b"post /path?q=1 http/1.1\r\n")
    assert b"x-mine: 1\r\n" in head
    assert b"content-length: 5\r\n" in head


async def test_a_redirect_is_not_followed(nursery: trio.Nursery) -> None:
    seen: list[bytes] = []
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    async with connections(1) as send:
        got = await send(Post(await url(nursery, answering(answer, seen)), (), b"hello"))
    assert got.status == 302


# The library leaves one generator of its own to trio's collector, which warns of it and cleans it up.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_an_endless_answer_is_read_to_a_bound(nursery: trio.Nursery) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await request(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                await stream.send_all(b"x" * 65536)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async with connections(1) as send:
        got = await send(Post(await url(nursery, serve), (), b"hello"))
    assert len(got.body) == MOST_OF_AN_ANSWER


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 2", b"this is no HTTP\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"]
)
async def test_half_an_answer_is_none(nursery: trio.Nursery, answer: bytes) -> None:
    seen: list[bytes] = []
    async with connections(1) as send:
        with pytest.raises(Unreached):
            await send(Post(await url(nursery, answering(answer, seen)), (), b"hello"))


async def test_nobody_there() -> None:
    async with connections(1) as send:
        with pytest.raises(Unreached, match="ConnectError"):
            await send(Post("http://127.0.0.1:1/", (), b"hello"))
        with pytest.raises(Unreached):
            await send(Post("http://no-such-host.invalid/", (), b"hello"))
