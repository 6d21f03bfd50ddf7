"""What browsers are told about who may read an answer (Fetch standard, "CORS protocol")."""

from collections.abc import Mapping

from router.dialects.dialect import Cors


def allowed(origin: str, origins: tuple[str, ...]) -> bool:
    """Whether a page of `origin` may post or read here. `*` in `origins` allows all."""
    return "*" in origins or origin in origins


def headers(cors: Cors, request: Mapping[str, str], origins: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Headers for any answer on a route with `cors`, errors included.

    An answer without them is a network error to the page, and its SDK sends the same events again.
    """
    origin = request.get("origin")
    if origin is None:
        return (("Vary", "Origin"),)
    if not allowed(origin, origins):
        return (("Vary", "Origin"),)
    pairs = [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Credentials", "true" if cors.allow_credentials else "false"),
        ("Access-Control-Expose-Headers", cors.expose_headers),
        ("Vary", "Origin"),
    ]
    return tuple(pairs)


def preflight_headers(method: str, cors: Cors, request: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Headers of the answer to OPTIONS, besides those of every answer."""
    asked = request.get("access-control-request-headers", "")
    allow = cors.allow_headers
    if cors.mirror_headers and asked:
        allow = asked
    return (
        ("Access-Control-Allow-Methods", f"{method}, OPTIONS"),
        ("Access-Control-Allow-Headers", allow),
        ("Access-Control-Max-Age", str(cors.max_age)),
    )
