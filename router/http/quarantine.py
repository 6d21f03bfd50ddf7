"""`GET /quarantine`: what could not be taken in, newest first, for whoever has to find out why."""

import msgspec
from quart import Quart, Response, request

from router.errors import Rejected
from router.http import access, gate, problems
from router.http.services import Services

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000


class QuarantineReader:
    """The endpoint."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def attach(self, app: Quart) -> None:
        app.add_url_rule("/quarantine", "quarantine", self.quarantine, methods=["GET"])

    async def quarantine(self) -> Response:
        services = self._services
        query = request.args
        try:
            token = gate.holder()
            limit = int(query.get("limit", DEFAULT_LIMIT))
            if not 1 <= limit <= MAX_LIMIT:
                raise ValueError(f"limit is {limit}: choose 1 to {MAX_LIMIT}")
            names = [name for name in services.environments if token.covers(name)]
            if "project" in query or "environment" in query:
                names = [access.choose(token, query.get("project"), query.get("environment"), services.environments)]
        except Rejected as error:
            return problems.of_fault(error.fault, error.message)
        except ValueError as error:
            return problems.problem(400, str(error))
        items = [
            {
                "time": item.time,
                "environment": str(name),
                "dialect": item.dialect,
                "endpoint": item.endpoint,
                "reason": item.reason,
                "size": item.size,
                "raw": item.raw.decode("utf-8", "replace"),
            }
            for name in names
            for item in services.environments[name].ledger.quarantine.newest(limit)
        ]
        items.sort(key=_time, reverse=True)
        response = Response(msgspec.json.encode({"items": items[:limit]}), content_type="application/json")
        response.headers["Cache-Control"] = "no-store"
        return response


def _time(item: dict[str, object]) -> int:
    return int(str(item["time"]))
