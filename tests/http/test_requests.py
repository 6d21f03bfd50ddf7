"""A line for every request: what was asked and answered, and nothing that must not stand in a log."""

import contextlib
from random import Random

import structlog
from structlog.testing import capture_logs

from router.http.guard import Message
from router.http.requests import ROUTE, RequestLog


async def run(*headers: tuple[bytes, bytes], route: str | None = "/a/<key>", fail: bool = False) -> tuple[
    list[Message], list[dict[str, object]]
]:  # fmt: skip
    sent: list[Message] = []

    async def app(scope: dict[str, object], _receive: object, send: object) -> None:
        if route is not None:
            scope[ROUTE] = route
        structlog.get_logger("inside").info("on the way")
        if fail:
            raise RuntimeError("a bug")
        await send({"type": "http.response.start", "status": 202, "headers": [(b"date", b"now")]})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b"12345"})  # type: ignore[operator]

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/a/sdk-secret",
        "query_string": b"token=api-secret",
        "headers": [*headers, (b"authorization", b"sdk-other-secret")],
        "client": ("192.0.2.1", 5),
    }
    merge = structlog.contextvars.merge_contextvars
    with capture_logs(processors=[merge]) as lines, contextlib.suppress(RuntimeError):
        await RequestLog(app, Random(1))(scope, receive, send)
    return sent, [dict(line) for line in lines]


async def test_a_request_is_one_line_and_its_id_is_in_the_answer() -> None:
    sent, lines = await run()
    _inside, line = lines

    assert (line["event"], line["method"], line["path"], line["status"]) == ("request", "POST", "/a/{key}", 202)
    assert (line["bytes"], line["peer"]) == (5, "192.0.2.1")
    assert dict(sent[0]["headers"])[b"x-request-id"].decode() == line["request"]
    assert lines[0]["request"] == line["request"], "lines on the way have it too"
    assert "secret" not in str(lines)


async def test_an_id_that_is_brought_is_kept_when_it_is_plain() -> None:
    _, lines = await run((b"x-request-id", b"trace-7"))
    assert lines[-1]["request"] == "trace-7"
    _, lines = await run((b"x-request-id", b'"}\n{"forged": 1'))
    assert "forged" not in str(lines)


async def test_a_path_that_is_none_of_ours_is_not_shown() -> None:
    _, lines = await run(route=None)
    assert lines[-1]["path"] == "unknown"


async def test_a_request_that_fails_has_its_line() -> None:
    _, lines = await run(fail=True)
    assert (lines[-1]["event"], lines[-1]["status"]) == ("request", None)
