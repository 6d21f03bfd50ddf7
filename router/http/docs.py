"""`GET /openapi.json` and `GET /docs`: the API described, and a page to read it on that loads nothing from others."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from quart import Quart, Response
from swagger_ui_bundle import swagger_ui_path

from router.dialects.dialect import Dialect
from router.http import problems
from router.http.headers import PAGE
from router.http.openapi import describe
from router.http.rules import Rule

START: Final = b"""window.addEventListener("load", function () {
  window.ui = SwaggerUIBundle({url: "openapi.json", dom_id: "#api", deepLinking: true, validatorUrl: null});
});
"""
HTML: Final = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>router: the API</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</head>
<body><div id="api"></div></body>
</html>
"""
ASSETS: Final = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
AGE: Final = "private, max-age=3600"


class Docs:
    """The endpoints. The description is made when it is first asked for: all others are registered by then."""

    def __init__(self, rules: Mapping[str, Rule], dialects: Sequence[Dialect]) -> None:
        self._rules = rules
        self._dialects = dialects
        self._described: bytes | None = None
        self._assets: dict[str, bytes] = {}

    def attach(self, app: Quart) -> None:
        self._app = app
        app.add_url_rule("/openapi.json", "openapi", self.openapi, methods=["GET"])
        app.add_url_rule("/docs", "docs", self.page, methods=["GET"], strict_slashes=False)
        app.add_url_rule("/docs/<name>", "docs asset", self.asset, methods=["GET"])

    def document(self) -> dict[str, Any]:
        return describe(self._app.url_map, self._rules, self._dialects)

    async def openapi(self) -> Response:
        if self._described is None:
            self._described = msgspec.json.encode(self.document())
        return Response(self._described, content_type="application/json")

    async def page(self) -> Response:
        return Response(HTML, content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": PAGE})

    async def asset(self, name: str) -> Response:
        if name == "start.js":
            return Response(START, content_type="text/javascript", headers={"Cache-Control": AGE})
        if name not in ASSETS:
            return problems.problem(404, "no such file")
        if name not in self._assets:
            self._assets[name] = _read(name)
        return Response(self._assets[name], content_type=ASSETS[name], headers={"Cache-Control": AGE})


def _read(name: str) -> bytes:
    return Path(str(swagger_ui_path), name).read_bytes()
