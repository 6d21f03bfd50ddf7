"""`/consumers`: what named consumers have acknowledged, how far they are behind, and forgetting one."""

from collections.abc import Callable

import msgspec
from quart import Quart, Response, request

from router.errors import Rejected
from router.http import access, gate, problems
from router.http.services import Services
from router.pipeline.consumers import Consumers as Known
from router.store.engine import NoSpace, Stalled

MAX_BODY = 4096  # bytes


class Ack(msgspec.Struct, forbid_unknown_fields=True):
    """The body of an acknowledgement."""

    cursor: str
    rewind: bool = False


class Consumers:
    """The endpoints; scope `stream`."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def attach(self, app: Quart) -> None:
        app.add_url_rule("/consumers", "consumers", self.items, methods=["GET"])
        app.add_url_rule("/consumers/<name>", "forget_consumer", self.remove, methods=["DELETE"])
        app.add_url_rule("/consumers/<name>/ack", "ack", self.ack, methods=["POST"])

    async def items(self) -> Response:
        found = self._known()
        if isinstance(found, Response):
            return found
        response = Response(msgspec.json.encode({"items": found.items()}), content_type="application/json")
        response.headers["Cache-Control"] = "no-store"
        return response

    async def ack(self, name: str) -> Response:
        found = self._known()
        if isinstance(found, Response):
            return found
        body = await request.get_data(cache=False, as_text=False, parse_form_data=False)
        try:
            asked = msgspec.json.decode(body[:MAX_BODY], type=Ack)
            await found.ack(name, asked.cursor, self._services.threads, rewind=asked.rewind)
        except ValueError as error:  # msgspec's own among them
            return problems.problem(400, str(error).lower())
        except (Stalled, NoSpace) as error:
            return problems.problem(503, f"the acknowledgement was not stored: {error}", retry_after=1)
        return Response(b"", status=204)

    async def remove(self, name: str) -> Response:
        found = self._known()
        if isinstance(found, Response):
            return found
        try:
            known = await found.remove(name, self._services.threads)
        except (Stalled, NoSpace) as error:
            return problems.problem(503, f"the consumer was not removed: {error}", retry_after=1)
        if not known:
            return problems.problem(404, f"no consumer is named {name[:40]!r}: GET /consumers lists them")
        return Response(b"", status=204)

    def _known(self) -> Known | Response:
        """The consumers of the environment that the request is about, or why there are none."""
        choose: Callable[[str], str | None] = request.args.get
        try:
            name = access.choose(gate.holder(), choose("project"), choose("environment"), self._services.environments)
        except Rejected as error:
            return problems.of_fault(error.fault, error.message)
        except ValueError as error:
            return problems.problem(400, str(error))
        return self._services.environments[name].consumers
