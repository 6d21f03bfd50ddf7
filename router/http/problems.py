"""Errors of the REST side, in LaunchDarkly's shape: `{"code","message"}` (contract, "Operations")."""

import msgspec
from quart import Response

from router.errors import Fault

STATUS = {
    Fault.UNAUTHENTICATED: 401,
    Fault.FORBIDDEN: 403,
    Fault.UNKNOWN_CLIENT: 404,
    Fault.MALFORMED: 400,
    Fault.UNAVAILABLE: 503,
}
CODES = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    429: "rate_limited",
    500: "internal_error",
    503: "service_unavailable",
}


def problem(status: int, message: str, *, retry_after: int | None = None) -> Response:
    """An error answer; `retry_after` in seconds."""
    body = msgspec.json.encode({"code": CODES.get(status, "error"), "message": message})
    response = Response(body, status=status, content_type="application/json")
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def invalid(errors: list[tuple[str, str]]) -> Response:
    """A 400 that names each attribute and what is wrong with it."""
    message = "; ".join(f"{attribute} {reason}" for attribute, reason in errors)
    listed = [{"attribute": attribute, "reason": reason} for attribute, reason in errors]
    body = msgspec.json.encode({"code": CODES[400], "message": message, "errors": listed})
    return Response(body, status=400, content_type="application/json")


def of_fault(fault: Fault, message: str) -> Response:
    return problem(STATUS[fault], message)
