"""`GET /metrics`: what is measured, in Prometheus' text format."""

from typing import Final

from quart import Quart, Response

from router.http import problems
from router.http.services import Services

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class MetricsReader:
    """The endpoint."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def attach(self, app: Quart) -> None:
        app.add_url_rule("/metrics", "metrics", self.metrics, methods=["GET"])

    async def metrics(self) -> Response:
        if self._services.metrics is None:
            return problems.problem(404, "nothing is measured here")
        response = Response(self._services.metrics(), content_type=CONTENT_TYPE)
        response.headers["Cache-Control"] = "no-store"
        return response
