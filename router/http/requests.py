"""A line in the log for every request, for who asks for it: what came, what was answered, how long it took.

Paths are shown as the application knows them, `/events/bulk/{client_side_id}`, and queries not at all: both may hold
keys and tokens.
"""

import re
from random import Random
from typing import Final

import structlog
import trio

from router.http.guard import Application, Message, Receive, Scope, Send

ROUTE: Final = "router.route"
"""Where in the scope the application leaves the rule that it found, as it is written."""
HEADER: Final = b"x-request-id"
_ID: Final = re.compile(rb"[A-Za-z0-9_.:-]{1,64}")

_log = structlog.get_logger(__name__)


class RequestLog:
    """Wraps `app`. An id that a request brings in `X-Request-Id` is kept where it is a plain one; else one is made.
    The answer has it too, and so has every line that is logged on the way."""

    def __init__(self, app: Application, random: Random) -> None:
        self._app = app
        self._random = random

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identity = _brought(scope) or f"{self._random.getrandbits(64):016x}"
        begun = trio.current_time()
        status = size = 0

        async def noted(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), (HEADER, identity.encode())]}
            elif message["type"] == "http.response.body":
                size += len(message.get("body", b""))
            await send(message)

        with structlog.contextvars.bound_contextvars(request=identity):
            try:
                await self._app(scope, receive, noted)
            finally:
                client = scope.get("client")
                _log.info(
                    "request",
                    method=scope["method"],
                    path=_shown(scope),
                    status=status or None,
                    bytes=size,
                    milliseconds=round((trio.current_time() - begun) * 1000, 1),
                    peer=client[0] if client else None,
                )


def _brought(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == HEADER and _ID.fullmatch(value):
            return str(value, "ascii")
    return None


def _shown(scope: Scope) -> str:
    """The rule of the path; of a path that has none, nothing but that: a stranger may have put anything there."""
    route = scope.get(ROUTE)
    return "unknown" if route is None else str(route).replace("<path:", "{").replace("<", "{").replace(">", "}")
