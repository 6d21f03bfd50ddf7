"""`GET /api/v2/engineering-insights/flag-events` and its neighbours: what did that flag change do?"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import msgspec
import trio
from quart import Quart, Response, request

from router.credentials import Token
from router.errors import Fault, Rejected
from router.http import cors, gate, problems
from router.http.allowance import Allowances
from router.http.insights_page import PATH, event_body, page_body, select
from router.http.insights_query import Invalid, evaluations_query, events_query
from router.http.rules import INSIGHTS_CORS
from router.http.services import Services
from router.pipeline.environments import Environment
from router.store.rollups import EVALUATION, HOUR_MINUTES, MINUTE, Row, Variation

EVALUATIONS: Final = "/insights/flags/<project>/<environment>/<path:flag>/evaluations"
TURN: Final = 512  # minutes read before other tasks have a turn
_MS: Final = MINUTE * 1000

Answer = dict[str, Any]


class Missing(Exception):
    """There is no such environment or event."""


class InsightsReader:
    """The endpoints of insights; scope `insights`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._allowances = Allowances()

    def attach(self, app: Quart) -> None:
        for path, name, answer in (
            (PATH, "flag events", self._events),
            (f"{PATH}/<id_>", "flag event", self._event),
            (EVALUATIONS, "evaluations", self._evaluations),
        ):
            app.add_url_rule(
                path, name, self._handler(name, answer), methods=["GET", "OPTIONS"], provide_automatic_options=False
            )

    def _handler(self, name: str, answer: Callable[..., Awaitable[Answer]]) -> Callable[..., Awaitable[Response]]:
        async def serve(**parameters: str) -> Response:
            services = self._services
            allowance = None
            headers = {name.lower(): value for name, value in request.headers.items()}
            if request.method == "OPTIONS":
                response = Response(b"", status=INSIGHTS_CORS.preflight_status)
                response.headers.extend(cors.preflight_headers("GET", INSIGHTS_CORS, headers))
                response.headers.extend(cors.headers(INSIGHTS_CORS, headers, services.origins(None)))
                return response
            try:
                token = gate.holder()
                now = services.clock.now()
                allowance = self._allowances.ask(token.name, name, now)
                if allowance.granted:
                    body = await answer(token, **parameters)
                    response = Response(msgspec.json.encode(body), content_type="application/json")
                else:
                    wait = -((now - allowance.reset) // 1000)
                    response = problems.problem(429, "too many requests in ten seconds", retry_after=wait)
            except Rejected as error:
                response = problems.of_fault(error.fault, error.message)
            except Invalid as error:
                response = problems.invalid(error.errors)
            except Missing as error:
                response = problems.problem(404, str(error))
            if allowance is not None:
                response.headers.extend(allowance.headers())
            response.headers["Cache-Control"] = "no-store"
            response.headers.extend(cors.headers(INSIGHTS_CORS, headers, services.origins(None)))
            return response

        return serve

    async def _events(self, token: Token) -> Answer:
        now = self._services.clock.now()
        query = events_query(request.args.to_dict(), now)
        insights = self._environment(token, query.project, query.environment).insights
        return page_body(insights, query, select(insights, query), now)

    async def _event(self, token: Token, id_: str) -> Answer:
        expand = "experiments" in request.args.get("expand", "").split(",")
        for name, environment in self._services.environments.items():
            if token.covers(name) and (record := environment.insights.changes.record(id_)) is not None:
                return event_body(environment.insights, record, self._services.clock.now(), expand=expand)
        raise Missing(f"no flag event has the id {id_[:60]!r}")

    async def _evaluations(self, token: Token, project: str, environment: str, flag: str) -> Answer:
        query = evaluations_query(request.args.to_dict(), self._services.clock.now())
        rollups = self._environment(token, project, environment).insights.rollups
        first, end = query.first // _MS, -(-query.last // _MS)
        hourly = query.step % (HOUR_MINUTES * _MS) == 0
        read = rollups.hours if hourly else rollups.rows
        series: dict[Variation, dict[int, list[int | float]]] = {}
        turn = TURN * (HOUR_MINUTES if hourly else 1)
        for begin in range(first, end, turn):
            _gather(series, read(flag, begin, min(begin + turn, end)), query.first, query.step)
            await trio.lowlevel.checkpoint()
        return {
            "projectKey": project,
            "environmentKey": environment,
            "flagKey": flag,
            "from": query.first,
            "to": query.last,
            "step": query.step,
            "variations": [_series(variation, points) for variation, points in sorted(series.items(), key=_order)],
        }

    def _environment(self, token: Token, project: str, key: str) -> Environment:
        for name, environment in self._services.environments.items():
            if (name.project, name.key) == (project, key) and token.covers(name):
                return environment
        if token.environments is None:
            raise Missing(f"there is no environment {project[:100]}/{key[:100]}")
        raise Rejected(Fault.FORBIDDEN, "the API token does not cover that environment")


def _gather(
    series: dict[Variation, dict[int, list[int | float]]], rows: Iterable[tuple[int, Row]], first: int, step: int
) -> None:
    for minute, row in rows:
        time = minute * _MS
        point = time - (time - first) % step
        for variation, amount in row.items():
            # Versions are told apart on disk, for the sake of the minute of a change; here they are one variation.
            points = series.setdefault(variation._replace(version=None), {})
            counted = points.setdefault(point, [0, 0])
            counted[0] += amount.events
            counted[1] += amount.total


def _series(variation: Variation, points: dict[int, list[int | float]]) -> Answer:
    """Evaluations, or exposures with what they come to when they are weighed by their sampling rate."""
    evaluated = variation.of == EVALUATION
    body: Answer = {"value": msgspec.Raw(variation.value), "reason": "evaluations" if evaluated else "exposures"}
    if variation.number is not None:
        body["variation"] = variation.number
    body["total"] = sum(counted[0] for counted in points.values())
    body["points"] = [
        {"time": time, "count": events} if evaluated else {"time": time, "count": events, "weighted": weighted}
        for time, (events, weighted) in sorted(points.items())
    ]
    return body


def _order(item: tuple[Variation, object]) -> tuple[str, int, bytes]:
    variation = item[0]
    return variation.of, -1 if variation.number is None else variation.number, variation.value
