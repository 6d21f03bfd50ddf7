"""A reader that never reads must not hold up a stop: hypercorn shields its sends from every cancellation."""

import trio

from tests.wire.conftest import application, plain_hypercorn, stuck_reader, wire


async def test_it_is_reset_when_the_drain_is_over() -> None:
    async with wire(drain=0.5) as running:
        with stuck_reader(running.port, b"/firehose"):
            await trio.sleep(0.5)
            with trio.fail_after(10):
                took = await running.stop()
        assert running.server.statistics().aborted == 1
    assert took < 3.0


async def test_without_the_mend_the_stop_hangs() -> None:
    """The control: hypercorn's own serve is still there long after its graceful timeout, until the client leaves."""
    async with plain_hypercorn(application(), keep_alive=75, drain=0.5) as (port, stop):
        client = stuck_reader(port, b"/firehose")
        await trio.sleep(0.5)
        stop.set()
        await trio.sleep(2.5)
        wedged = await _still_connected(client)
        client.close()
    assert wedged


async def _still_connected(client: object) -> bool:
    """Whether the peer has not ended the connection: nothing to read but what it sent before, and no reset."""
    import socket

    assert isinstance(client, socket.socket)
    state = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    established = 1
    return state == established
