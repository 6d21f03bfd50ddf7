"""What a router is there for: SDKs by the hundred that post, readers that follow, some that come later and read it all,
a look at its health now and then.

Run as a process of its own, `python -m tests.abuse.ordinary PORT`; ends when every SDK is done, and prints how many of
its requests got 2xx.
"""

import json
import os
import sys
from collections import Counter
from functools import partial

import trio

from tests.abuse.attacks import connect, request

CLIENTS = 150
POSTS = 12  # of each client, of 50 events: some 15 MB for each environment, which fills what is kept of the latest
NOISE = 125  # bytes of an event that do not compress, so that memtables fill as they do in an hour of other events
ENVIRONMENTS = ("production", "test", "staging")
KEYS = ("sdk-demo", "sdk-test", "sdk-staging")
READERS = 6
CATCHING_UP = 3.0  # seconds for readers that come later
PAUSE = 0.3  # seconds between two posts of a client

_EVENT = {"kind": "feature", "creationDate": 1_700_000_000_000, "version": 3, "variation": 1, "value": True}


def batch() -> bytes:
    events = [
        _EVENT
        | {"key": f"flag-{n % 7}", "default": os.urandom(NOISE).hex(), "context": {"kind": "user", "key": f"user-{n}"}}
        for n in range(50)
    ]
    return json.dumps(events).encode()


async def answer(stream: trio.SocketStream) -> str:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = await stream.receive_some(65536)
        if not piece:
            return "cut"
        data += piece
    return data[9:12].decode()


async def client(port: int, number: int, counts: Counter[str]) -> None:
    post = request(batch(), key=KEYS[number % len(KEYS)])
    look = request(method="GET", path="/health/ready", length=False)
    await trio.sleep(PAUSE * number / CLIENTS)
    async with await connect(port) as stream:
        for _ in range(POSTS):
            await stream.send_all(post)
            counts[await answer(stream)] += 1
            await trio.sleep(PAUSE)
        await stream.send_all(look)
        counts[await answer(stream)] += 1


async def reader(port: int, environment: str) -> None:
    path = f"/events?project=default&environment={environment}&from=earliest"
    async with await connect(port) as stream:
        await stream.send_all(request(method="GET", path=path, key="api-other", length=False))
        while await stream.receive_some(65536):
            pass


async def run(port: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    async with trio.open_nursery() as readers:
        for number in range(READERS):
            readers.start_soon(reader, port, ENVIRONMENTS[number % len(ENVIRONMENTS)])
        async with trio.open_nursery() as clients:
            for number in range(CLIENTS):
                clients.start_soon(client, port, number, counts)
        for number in range(READERS):
            readers.start_soon(reader, port, ENVIRONMENTS[number % len(ENVIRONMENTS)])
        await trio.sleep(CATCHING_UP)
        readers.cancel_scope.cancel(reason="all is posted")
    return counts


if __name__ == "__main__":
    print(json.dumps(trio.run(partial(run, int(sys.argv[1])))))
