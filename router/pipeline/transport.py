"""Sends a forwarder's requests: one connection pool each, over trio."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Final

import trio

from router.pipeline.delivery import Answer
from router.pipeline.outgoing import Post

if TYPE_CHECKING:
    import httpx2

CONNECT: Final = 10.0  # seconds
SILENCE: Final = 60.0  # seconds without a byte either way
TOTAL: Final = 300.0  # seconds from a request's first byte to its answer's last
MOST_OF_AN_ANSWER: Final = 64 * 1024  # bytes read of a body; what goes on is not waited for

Send = Callable[[Post], Awaitable[Answer]]


class Unreached(Exception):
    """No answer came: whether the target has the request is unknown."""


@asynccontextmanager
async def connections(most: int) -> AsyncIterator[Send]:
    """A way to send, over at most `most` connections, which are kept between requests.

    `Send` raises `Unreached` where no answer came. Redirects are not followed, and the environment's proxies are used.
    """
    # Imported where a forward is configured only: it is 8 MB of a process that is to be small.
    import httpx2

    limits = httpx2.Limits(max_connections=most, max_keepalive_connections=most, keepalive_expiry=30)
    timeout = httpx2.Timeout(SILENCE, connect=CONNECT)
    async with httpx2.AsyncClient(limits=limits, timeout=timeout, follow_redirects=False) as client:

        async def send(post: Post) -> Answer:
            try:
                with trio.fail_after(TOTAL):
                    return await _send(client, post)
            except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, ssl.SSLError, OSError) as error:
                raise Unreached(f"{type(error).__name__}: {error}".rstrip(": ")) from error
            except trio.TooSlowError as error:
                raise Unreached(f"no answer within {TOTAL:g} s") from error

        yield send


async def _send(client: "httpx2.AsyncClient", post: Post) -> Answer:
    async with client.stream("POST", post.url, headers=list(post.headers), content=post.body) as response:
        body = bytearray()
        async with aclosing(response.aiter_bytes()) as parts:
            async for part in parts:
                body += part
                if len(body) >= MOST_OF_AN_ANSWER:
                    break
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, bytes(body[:MOST_OF_AN_ANSWER]))
