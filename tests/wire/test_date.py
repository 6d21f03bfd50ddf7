"""Every answer carries `Date`, once: SDKs set their idea of the time by it (sdk-behaviour.md)."""

import pytest

from router.http.guard import GuardLimits
from tests.wire.client import converse, status
from tests.wire.conftest import wire

ANSWERS = {
    200: b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na",
    400: b"POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
    404: b"GET /gone HTTP/1.1\r\nHost: x\r\n\r\n",
    503: b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n",
    505: b"GET / HTTP/2.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("code", ANSWERS)
async def test_every_answer_is_dated_once(code: int) -> None:
    async with wire(limits=GuardLimits(body_timeout=0.1)) as running:
        answer, _ = await converse(running.port, ANSWERS[code])
    assert status(answer) == code
    head = answer.split(b"\r\n\r\n")[0].lower()
    assert head.count(b"\r\ndate: ") == 1
