"""Connections that hold a place without using it, and clients that hold many."""

from collections.abc import Callable

import trio

from router.http.admission import AdmissionLimits
from router.http.clients import Proxies
from router.http.guard import GuardLimits
from tests.wire.client import hear, status
from tests.wire.conftest import read_answer, wire

GET = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
NOBODY = Proxies(())


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what the server does in its own time."""
    with trio.fail_after(5):
        while not condition():
            await trio.sleep(0.01)


async def test_a_head_that_trickles_in_is_cut_off_while_an_idle_connection_stays() -> None:
    async with wire(head=0.3) as running:
        slow, idle = await running.connect(), await running.connect()
        with trio.fail_after(5):
            await slow.send_all(b"GET / HTTP/1.1\r\nX: ")
            ended = trio.Event()

            async def trickle() -> None:
                try:
                    while True:
                        await slow.send_all(b"y")
                        await trio.sleep(0.05)
                except trio.BrokenResourceError:
                    ended.set()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(trickle)
                await ended.wait()
        await idle.send_all(GET)
        assert status(await read_answer(idle)) == 404


async def test_requests_on_one_connection_each_have_the_time_of_a_head() -> None:
    async with wire(head=0.3) as running:
        client = await running.connect()
        for _ in range(4):
            await client.send_all(GET[:10])
            await trio.sleep(0.15)
            await client.send_all(GET[10:])
            assert status(await read_answer(client)) == 404


async def test_the_oldest_idle_connection_makes_room() -> None:
    async with wire(admission=AdmissionLimits(3, 0, NOBODY)) as running:
        clients = [await running.connect() for _ in range(3)]
        await clients[0].send_all(GET)
        await read_answer(clients[0])
        late = await running.connect()
        await late.send_all(GET)
        assert status(await read_answer(late)) == 404
        found = running.server.statistics()
        assert (found.evicted, found.open) == (1, 3)


async def test_busy_connections_are_not_cut_and_one_too_many_hears_503() -> None:
    async with wire(admission=AdmissionLimits(2, 0, NOBODY)) as running:
        for _ in range(2):
            client = await running.connect()
            await client.send_all(b"GET /firehose HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await client.receive_some(100)
        late = await running.connect()
        answer, ended = await hear(late)
        assert (status(answer), ended) == (503, True)
        assert running.server.statistics().admission.full == 1


async def test_one_address_has_its_share_of_connections() -> None:
    async with wire(admission=AdmissionLimits(100, 2, NOBODY)) as running:
        kept = [await running.connect() for _ in range(2)]
        for client in kept:
            await client.send_all(GET)
            await read_answer(client)
        answer, _ = await hear(await running.connect())
        assert status(answer) == 503
        await kept[0].aclose()
        await until(lambda: running.server.statistics().open == 1)
        again = await running.connect()
        await again.send_all(GET)
        assert status(await read_answer(again)) == 404


async def test_behind_a_trusted_proxy_the_forwarded_address_has_its_share() -> None:
    """The proxy is trusted for the address that it saw, not for what its peer claims."""
    limits = GuardLimits(max_per_address=1, proxies=Proxies(["127.0.0.0/8"]))
    async with wire(limits=limits) as running:

        async def ask(path: bytes, forwarded: bytes) -> trio.SocketStream:
            client = await running.connect()
            await client.send_all(b"GET %s HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: %s\r\n\r\n" % (path, forwarded))
            return client

        first = await ask(b"/firehose", b"198.51.100.1")
        assert (await first.receive_some(20)).startswith(b"HTTP/1.1 200")
        assert status(await read_answer(await ask(b"/nothing", b"203.0.113.7, 198.51.100.1"))) == 503
        assert status(await read_answer(await ask(b"/nothing", b"198.51.100.1, 203.0.113.7"))) == 404
        await trio.aclose_forcefully(first)
        assert running.guard is not None
        guard = running.guard
        await until(lambda: guard.statistics().forwarded.addresses == 0)
        assert guard.statistics().forwarded.refused == 1
