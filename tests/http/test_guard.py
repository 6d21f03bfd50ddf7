"""The guard in front of an application, message by message."""

import trio
import trio.lowlevel

from router.http.guard import Guard, GuardLimits, Message, Receive, Scope, Send, oversize


def scope(**more: object) -> Scope:
    return {"type": "http", "http_version": "1.1", "method": "POST", "path": "/bulk", "raw_path": b"/bulk", **more}


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

    assert sent[1]["body"] == b"abc oversize"
    assert guard.statistics().oversize == 1
    assert guard.statistics().budget.used == 0


async def test_a_sender_that_never_ends_is_not_read_for_ever() -> None:
    guard = Guard(echo, limits=GuardLimits(max_body=4))
    sent = await run(guard, scope(), *[piece(b"abcd", more=True) for _ in range(100)])

    assert sent[1]["body"] == b"abcd oversize"


async def test_a_body_that_does_not_come_in_time_gets_503(autojump_clock: object) -> None:
    guard = Guard(echo, limits=GuardLimits(body_timeout=30))

    async def receive() -> Message:
        await trio.sleep_forever()
        raise AssertionError

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await guard(scope(), receive, send)
    assert sent[0]["status"] == 503
    assert (b"retry-after", b"1") in sent[0]["headers"]
    assert guard.statistics().slow == 1
    assert guard.statistics().open == 0
