"""`GET /`: the dashboard. A page that holds no data: it asks the other endpoints, as whoever has logged in may.

A browser shows no token when it opens a page. So whoever is not this machine's operator gets the same page with a 401,
and logs in there; the token then goes in a header of every request, and into no URL and no storage.
"""

from importlib.resources import files
from typing import Final

from quart import Quart, Response, request

from router.credentials import Scope
from router.errors import Rejected
from router.http import access, problems
from router.http.headers import PAGE
from router.http.services import Services

INSIGHTS: Final = "/api/v2/engineering-insights/flag-events"
ASSETS: Final = {
    "changes.js": "text/javascript; charset=utf-8",
    "chart.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "main.js": "text/javascript; charset=utf-8",
    "metrics.js": "text/javascript; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "tail.js": "text/javascript; charset=utf-8",
}


class Panel:
    """The endpoints. The files are read once, when they are attached."""

    def __init__(self, services: Services) -> None:
        self._services = services
        folder = files("router.http") / "dashboard"
        self._page = (folder / "index.html").read_text("utf-8")
        self._assets = {name: (folder / name).read_bytes() for name in ASSETS}

    def attach(self, app: Quart) -> None:
        self._app = app
        app.add_url_rule("/", "dashboard", self.page, methods=["GET"])
        app.add_url_rule("/dashboard/<name>", "dashboard asset", self.asset, methods=["GET"])

    async def page(self) -> Response:
        operator = self._is_operator()
        insights = any(rule.rule == INSIGHTS for rule in self._app.url_map.iter_rules())
        page = self._page.replace("{operator}", _word(operator)).replace("{insights}", _word(insights))
        response = Response(page, status=200 if operator else 401, content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = PAGE
        return response

    async def asset(self, name: str) -> Response:
        if name not in ASSETS:
            return problems.problem(404, "no such file")
        # Asked for anew at each opening, so that a page and its scripts are always of one version.
        return Response(self._assets[name], content_type=ASSETS[name], headers={"Cache-Control": "no-cache"})

    def _is_operator(self) -> bool:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if access.is_local(request.remote_addr, headers) and not access.is_lured(headers):
            return True
        try:
            access.require(self._services.keyring(), access.presented(headers, request.args), Scope.ADMIN)
        except Rejected:
            return False
        return True


def _word(value: bool) -> str:
    return "yes" if value else "no"
