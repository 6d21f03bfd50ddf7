"""The guard in front of an application, message by message."""

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock, wait_all_tasks_blocked

from router.http.guard import Guard, GuardLimits, Message, Receive, Scope, Send, oversize


def scope(**more: object) -> Scope:
    plain = {"type": "http", "http_version": "1.1", "method": "POST", "path": "/bulk", "raw_path": b"/bulk"}
    return {**plain, "headers": [], **more}


async def run(guard: Guard, scope: Scope, *messages: Message) -> list[Message]:
    """What is sent in answer to these messages."""
    sent: list[Message] = []
    queue = list(messages)

    async def receive() -> Message:
        await trio.lowlevel.checkpoint()
        return queue.pop(0) if queue else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        await trio.lowlevel.checkpoint()
        sent.append(message)

    await guard(scope, receive, send)
    return sent


def piece(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"path", scope["path"].encode())]})
    await send({"type": "http.response.body", "body": body + (b" oversize" if oversize(scope) else b"")})


async def test_a_request_passes_unchanged() -> None:
    sent = await run(Guard(echo), scope(), piece(b"ab", more=True), piece(b"c"))

    assert sent[1]["body"] == b"abc"


async def test_double_slashes_are_one() -> None:
    """Sloppy SDKs post to `//bulk` (launchdarkly.md 1.1); a 404 would silence them."""
    request = scope(path="//events///bulk/x", raw_path=b"//events///bulk/x")
    sent = await run(Guard(echo), request, piece(b""))

    assert sent[0]["headers"] == [(b"path", b"/events/bulk/x")]
    assert request["raw_path"] == b"/events/bulk/x"


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("http://events.example//bulk", "/bulk"),
        ("https://events.example:443", "/"),
        ("", "/"),
        ("*", "*"),
        ("/a/http://b", "/a/http:/b"),
    ],
)
async def test_the_path_is_a_path(path: str, normal: str) -> None:
    """Proxies send the absolute form (RFC 9112, 3.2.2); Quart fails on a target without a path."""
    request = scope(path=path, raw_path=path.encode())
    sent = await run(Guard(echo), request, piece(b""))

    assert sent[0]["headers"] == [(b"path", normal.encode())]
    assert request["raw_path"] == normal.encode()


async def test_http2_reaches_no_application() -> None:
    guard = Guard(echo)
    sent = await run(guard, scope(http_version="2"))

    assert sent[0]["status"] == 505
    assert guard.statistics().http2 == 1


async def test_other_scopes_pass() -> None:
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    await run(Guard(app), {"type": "lifespan"})
    assert seen == ["lifespan"]


async def test_the_final_message_is_shielded_and_no_other() -> None:
    """Quart-Trio is cancelled from inside it; what hypercorn does there must be finished."""
    finished: list[bool] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        with trio.CancelScope() as inner:
            inner.cancel()
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
        with trio.CancelScope() as inner:
            inner.cancel()
            await send({"type": "http.response.body", "body": b"b", "more_body": False})

    async def send(message: Message) -> None:
        await trio.lowlevel.checkpoint()
        finished.append(bool(message.get("more_body")))

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    await Guard(app)(scope(), receive, send)
    assert finished == [False, False], "the start and the final message; not the one in between"


async def test_more_than_the_limit_is_dropped_and_told() -> None:
    guard = Guard(echo, limits=GuardLimits(max_body=4))
    sent = await run(guard, scope(), piece(b"abc", more=True), piece(b"defg", more=True), piece(b"h"))

    assert b"".join(message.get("body", b"") for message in sent) == b"abc oversize"
    assert [message.get("more_body") for message in sent] == [None, True, False]
    assert guard.statistics().oversize == 1
    assert guard.statistics().budget.used == 0


async def test_a_body_that_declares_to_be_over_the_limit_is_given_to_nobody() -> None:
    guard = Guard(echo, limits=GuardLimits(max_body=4))
    sent = await run(guard, scope(headers=[(b"content-length", b"5")]), piece(b"ab", more=True), piece(b"cde"))

    assert sent[1]["body"] == b" oversize"
    assert guard.statistics().budget.peak == 0


async def test_a_body_of_just_the_limit_passes() -> None:
    guard = Guard(echo, limits=GuardLimits(max_body=4))
    sent = await run(guard, scope(headers=[(b"content-length", b"4")]), piece(b"abcd"))

    assert sent[1]["body"] == b"abcd"
    assert guard.statistics().oversize == 0


async def test_a_sender_that_never_ends_is_not_read_for_ever() -> None:
    guard = Guard(echo, limits=GuardLimits(max_body=4))
    pieces = [piece(b"abcd", more=True) for _ in range(100)]
    sent = await run(guard, scope(), *pieces)

    assert b"".join(message.get("body", b"") for message in sent) == b"abcd oversize"


async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 400, "headers": []})
    await send({"type": "http.response.body", "body": b"no", "more_body": False})


class Peer:
    """The server's side of an exchange, as hypercorn has it: the body comes by a queue, and the end of the answer is a
    message into that queue."""

    def __init__(self, room: int) -> None:
        self.into, self.receive_channel = trio.open_memory_channel[Message](room)
        self.sent: list[tuple[float, Message]] = []

    async def receive(self) -> Message:
        return await self.receive_channel.receive()

    async def send(self, message: Message) -> None:
        self.sent.append((trio.current_time(), message))
        if message["type"] == "http.response.body" and not message.get("more_body"):
            await self.into.send({"type": "http.disconnect"})


async def test_an_early_answer_is_whole_at_once_and_ends_with_the_body(autojump_clock: MockClock) -> None:
    """What is left of the body is read behind the answer, so that its sender gets to read it."""
    peer = Peer(2)

    async def body() -> None:
        for more in (True, True, False):
            await trio.sleep(1)
            await peer.into.send(piece(b"x", more=more))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(body)
        await Guard(refuse)(scope(), peer.receive, peer.send)
    assert [(time, message.get("body"), message.get("more_body")) for time, message in peer.sent] == [
        (0, None, None),
        (0, b"no", True),
        (3, b"", False),
    ]


async def test_a_sender_that_dawdles_behind_an_early_answer_is_left_when_its_time_is_over(
    autojump_clock: MockClock,
) -> None:
    peer = Peer(2)
    await Guard(refuse, limits=GuardLimits(body_timeout=30))(scope(), peer.receive, peer.send)

    assert peer.sent[-1] == (30, {"type": "http.response.body", "body": b"", "more_body": False})


async def test_the_end_of_an_answer_gets_out_past_a_full_queue() -> None:
    """Hypercorn's last message waits for room there, shielded: if nobody makes any, not even a stop ends it."""
    peer = Peer(2)

    async def pour() -> None:
        while True:
            await peer.into.send(piece(b"x", more=True))

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pour)
            with trio.move_on_after(0.05) as stop:
                await Guard(refuse)(scope(), peer.receive, peer.send)
            nursery.cancel_scope.cancel()
    assert stop.cancelled_caught
    assert peer.sent[-1][1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_whoever_reads_the_end_of_the_body_ends_the_wait_for_it(autojump_clock: MockClock) -> None:
    """Quart reads on while its handler answers: what it takes does not come to the guard again."""
    peer = Peer(2)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async with trio.open_nursery() as nursery:

            async def feed() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass

            nursery.start_soon(feed)
            await wait_all_tasks_blocked()
            await refuse(scope, receive, send)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(Guard(app), scope(), peer.receive, peer.send)
        await trio.sleep(1)  # the clock stands until all wait: the feeder is the first in line
        await peer.into.send(piece(b"x"))
    assert peer.sent[-1][0] == 1


async def test_a_body_that_does_not_come_in_time_gets_503(autojump_clock: MockClock) -> None:
    guard = Guard(echo, limits=GuardLimits(body_timeout=30))

    async def receive() -> Message:
        await trio.sleep_forever()
        raise AssertionError

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await guard(scope(), receive, send)
    assert sent[0]["status"] == 503
    assert (b"connection", b"close") in sent[0]["headers"]
    assert (b"retry-after", b"1") in sent[0]["headers"]
    assert guard.statistics().slow == 1
    assert guard.statistics().open == 0


async def test_a_slow_body_takes_no_room_once_it_is_given_up(autojump_clock: MockClock) -> None:
    peer, guard = Peer(2), Guard(echo, limits=GuardLimits(body_timeout=30))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(guard, scope(), peer.receive, peer.send)
        await peer.into.send(piece(b"abcd", more=True))
        await trio.sleep(29.9)
        assert guard.statistics().budget.used == 4
        await trio.sleep(0.2)
        assert (guard.statistics().open, guard.statistics().budget.used) == (1, 0), "its sender reads the answer yet"


@pytest.mark.parametrize("limit", [3, 100], ids=["oversize", "whole"])
async def test_a_handler_may_take_longer_than_its_body(limit: int, autojump_clock: MockClock) -> None:
    """The time is for the body: when that is there, or known to be too large, the handler has what it asked for."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["more_body"]:
            pass
        await trio.sleep(100)
        await refuse(scope, receive, send)

    sent = await run(Guard(app, limits=GuardLimits(max_body=limit, body_timeout=30)), scope(), piece(b"abcd"))

    assert sent[0]["status"] == 400


async def test_a_body_that_finds_no_room_in_time_gets_503_and_leaves_none_taken(autojump_clock: MockClock) -> None:
    guard = Guard(echo, limits=GuardLimits(max_in_flight=4, body_timeout=30))
    holder = object()
    await guard.budget.take(holder, 5)  # the one that may have more than there is
    sent = await run(guard, scope(), piece(b"abcd"))

    assert sent[0]["status"] == 503
    assert guard.statistics().budget.waiting == 0
    guard.budget.give_back(holder, 5)
    assert guard.statistics().budget.used == 0


async def test_statistics_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Guard(echo).statistics().open = 5  # type: ignore[misc]  # that it cannot be set is the point
