"""Attacks on a router, each a task that goes on until it is cancelled and counts what it gets for it.

Run as a process of its own, `python -m tests.abuse.attacks NAME PORT SECONDS`, so that it takes nothing from those who
are watched meanwhile; prints `begun`, then the counts as JSON.
"""

import gzip
import json
import os
import sys
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import trio

from router.tuning import raise_file_limit
from tests.dialects.compressed import zstd_bomb

EVENT = b'{"kind":"custom","key":"k","creationDate":1700000000000,"contextKeys":{"user":"u"}}'
Counts = Counter[str]
Attack = Callable[[int, Counts], Awaitable[None]]
CROWD = 4  # attackers of one kind at once
IDLE = 5000  # connections
SOURCES = tuple(f"127.0.0.{n}" for n in range(2, 7))
PAUSE = 0.05  # seconds between two of an attacker's requests: 80 a second of all


def request(
    body: bytes = b"",
    *headers: str,
    method: str = "POST",
    path: str = "/bulk",
    key: str = "sdk-demo",
    length: bool = True,
) -> bytes:
    """A request's bytes; a header is written as it is given."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *([f"Authorization: {key}"] if key else []), *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


async def connect(port: int) -> trio.SocketStream:
    return await trio.open_tcp_stream("127.0.0.1", port)


async def hear(stream: trio.SocketStream, counts: Counts) -> None:
    """Count the status of an answer, or `cut`."""
    data = b""
    with trio.move_on_after(20) as waiting:
        try:
            while b"\r\n\r\n" not in data:
                piece = await stream.receive_some(65536)
                if not piece:
                    break
                data += piece
        except trio.BrokenResourceError:
            pass
    if waiting.cancelled_caught:
        counts["silent"] += 1
    else:
        counts[data[9:12].decode() or "cut"] += 1


async def ask(port: int, counts: Counts, sent: bytes) -> None:
    """Send one request on a connection of its own."""
    async with await connect(port) as stream:
        with suppress(trio.BrokenResourceError):
            await stream.send_all(sent)
        await hear(stream, counts)


def again(make: Callable[[], bytes], *, crowd: int = CROWD, pause: float = PAUSE) -> Attack:
    """The same request over and over, by several."""

    async def one(port: int, counts: Counts, sent: bytes) -> None:
        while True:
            await ask(port, counts, sent)
            await trio.sleep(pause)

    async def attack(port: int, counts: Counts) -> None:
        sent = make()
        async with trio.open_nursery() as nursery:
            for _ in range(crowd):
                nursery.start_soon(one, port, counts, sent)

    return attack


async def slow_heads(port: int, counts: Counts) -> None:
    """500 connections that send a byte of a header a second."""

    async def one() -> None:
        while True:
            async with await connect(port) as stream:
                try:
                    await stream.send_all(b"POST /bulk HTTP/1.1\r\nX-Slow: ")
                    while True:
                        await stream.send_all(b"x")
                        await trio.sleep(1)
                except trio.BrokenResourceError:
                    counts["cut"] += 1

    async with trio.open_nursery() as nursery:
        for _ in range(500):
            nursery.start_soon(one)


async def slow_bodies(port: int, counts: Counts) -> None:
    """300 connections that announce a body and send a byte of it a second."""

    async def one(number: int) -> None:
        await trio.sleep(number / 150)
        while True:
            async with await connect(port) as stream:
                try:
                    await stream.send_all(request(b"", "Content-Length: 100000", length=False))
                    for _ in range(3):
                        await stream.send_all(b" ")
                        await trio.sleep(1)
                except trio.BrokenResourceError:
                    pass
                await hear(stream, counts)

    async with trio.open_nursery() as nursery:
        for number in range(300):
            nursery.start_soon(one, number)


async def slow_readers(port: int, counts: Counts) -> None:
    """60 streams from the beginning of the log, of which nobody reads a byte."""
    streams = []
    for _ in range(60):
        stream = await connect(port)
        await stream.send_all(request(method="GET", path="/events?from=earliest", key="api-demo", length=False))
        streams.append(stream)
        counts["opened"] += 1
    await trio.sleep_forever()


async def half_open(port: int, counts: Counts) -> None:
    """Requests whose sender shuts its side in the middle of the body."""
    while True:
        async with await connect(port) as stream:
            await stream.send_all(request(b"", "Content-Length: 1000", length=False) + b"[")
            await stream.send_eof()
            await hear(stream, counts)
        await trio.sleep(0.02)


async def vanishing(port: int, counts: Counts) -> None:
    """Senders that are gone with a reset in the middle of the body."""
    while True:
        stream = await connect(port)
        await stream.send_all(request(b"", "Content-Length: 1000", length=False) + b"[")
        await trio.sleep(0.01)
        stream.socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await trio.aclose_forcefully(stream)
        counts["gone"] += 1


async def idle_connections(port: int, counts: Counts) -> None:
    """5,000 connections from five addresses that say nothing. Ends by itself: those that are open still two seconds
    after the last one was opened have been held."""
    raise_file_limit()
    opened: list[trio.socket.SocketType] = []

    async def several(source: str) -> None:
        for _ in range(IDLE // len(SOURCES)):
            made = trio.socket.socket()
            opened.append(made)
            await made.bind((source, 0))
            await made.connect(("127.0.0.1", port))
            counts["opened"] += 1
            await trio.sleep(0.004)

    try:
        async with trio.open_nursery() as nursery:
            for source in SOURCES:
                nursery.start_soon(several, source)
        await trio.sleep(2)
        for made in opened:
            try:
                os.read(made.fileno(), 1)
                counts["let_go"] += 1
            except BlockingIOError:
                counts["held"] += 1
    finally:
        for made in opened:
            made.close()


async def pipelining(port: int, counts: Counts) -> None:
    """A hundred requests at once on each connection, the answers unread until all are out."""
    batch = request(b"[" + EVENT + b"]") * 100
    while True:
        async with await connect(port) as stream:
            await stream.send_all(batch)
            found = b""
            while found.count(b"HTTP/1.1 ") < 100:
                piece = await stream.receive_some(65536)
                if not piece:
                    break
                found += piece
            counts["202"] += found.count(b"HTTP/1.1 202")
            counts["other"] += found.count(b"HTTP/1.1 ") - found.count(b"HTTP/1.1 202")
        await trio.sleep(0.5)


SMUGGLED = b"POST /mobile HTTP/1.1\r\nHost: x\r\nAuthorization: mob-demo\r\nContent-Length: 2\r\n\r\n[]"
TWO_LENGTHS = request(b"[]", "Content-Length: 2", "Content-Length: 50", length=False)
LENGTH_AND_CHUNKS = request(b"0\r\n\r\n", "Content-Length: 5", "Transfer-Encoding: chunked", length=False)
DEEP = b'[{"kind":"custom","key":"k","creationDate":1,"contextKeys":{"user":"u"},"data":%s'
DEEP %= b"[" * 100_000 + b"]" * 100_000
ATTACKS: dict[str, Attack] = {
    "gzip_bomb": again(lambda: request(gzip.compress(b"[" + b" " * 60_000_000 + b"]"), "Content-Encoding: gzip")),
    "gzip_bomb_of_members": again(lambda: request(gzip.compress(b" " * 1_000_000) * 100, "Content-Encoding: gzip")),
    "deflate_bomb": again(lambda: request(zlib.compress(b" " * 60_000_000), "Content-Encoding: deflate")),
    "zstd_bomb": again(lambda: request(zstd_bomb(60_000_000), "Content-Encoding: zstd")),
    "bomb_in_a_bomb": again(lambda: request(gzip.compress(gzip.compress(b" " * 60_000_000)), "Content-Encoding: gzip")),
    "many_elements": again(lambda: request(b"[" + b"{}," * 3_000_000 + b"{}]"), crowd=1, pause=0.5),
    "many_elements_under_the_limit": again(lambda: request(b"[" + b"{}," * 40_000 + b"{}]"), crowd=1, pause=0.5),
    "deep_json": again(lambda: request(DEEP + b"}]")),
    "open_brackets": again(lambda: request(b"[" * 5_000_000), crowd=1, pause=0.5),
    "not_a_number": again(lambda: request(b"[" + b",".join([EVENT[:-1] + b',"metricValue":NaN}'] * 50) + b"]")),
    "lone_surrogates": again(lambda: request(b"[" + b",".join([EVENT[:-1] + rb',"x":"\ud800"}'] * 50) + b"]")),
    "slow_heads": slow_heads,
    "slow_bodies": slow_bodies,
    "slow_readers": slow_readers,
    "half_open_peers": half_open,
    "vanishing_peers": vanishing,
    "idle_connections": idle_connections,
    "pipelining": pipelining,
    "conflicting_lengths": again(lambda: TWO_LENGTHS + SMUGGLED),
    "length_and_chunks": again(lambda: LENGTH_AND_CHUNKS + SMUGGLED),
    "obsolete_folding": again(lambda: request(b"[]", "X-Folded: a\r\n Transfer-Encoding: chunked")),
    "bad_chunks": again(lambda: request(b"", "Transfer-Encoding: chunked", length=False) + b"2;\n\r\n[]\r\nzz\r\n\r\n"),
    "huge_header": again(lambda: request(b"[]", "X-Huge: " + "x" * 1_000_000)),
    "many_headers": again(lambda: request(b"[]", *(f"X-{n}: y" for n in range(20_000)))),
    "line_breaks_in_ids": again(
        lambda: request(
            b"[" + EVENT.replace(b'"u"', rb'"u\r\n\r\ndata: forged\r\n"') + b"]",
            "X-LaunchDarkly-Payload-ID: a\rHTTP/1.1 200 OK\r",
        )
    ),
    "unknown_keys": again(lambda: request(b"[]", key="sdk-" + "0" * 40)),
}


async def run(name: str, port: int, seconds: float) -> Counts:
    counts: Counts = Counter()
    with trio.move_on_after(seconds):
        await ATTACKS[name](port, counts)
    return counts


if __name__ == "__main__":
    print("begun", flush=True)
    print(json.dumps(trio.run(partial(run, sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))))
