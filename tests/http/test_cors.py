"""Browsers are told who may read, on every answer."""

import pytest

from router.dialects.dialect import Cors
from router.http import cors

CORS = Cors("Content-Type,X-A", expose_headers="Date", max_age=300)


@pytest.mark.parametrize(
    ("origin", "origins", "granted"),
    [
        ("https://shop.example", ("*",), True),
        ("https://shop.example", ("https://shop.example",), True),
        ("https://evil.example", ("https://shop.example",), False),
        ("https://shop.example", (), False),
    ],
)
def test_an_origin_is_granted_by_name_or_star(origin: str, origins: tuple[str, ...], granted: bool) -> None:
    headers = dict(cors.headers(CORS, {"origin": origin}, origins))

    assert headers.get("Access-Control-Allow-Origin") == (origin if granted else None)
    assert headers["Vary"] == "Origin"


def test_a_request_without_an_origin_gets_no_grant() -> None:
    assert cors.headers(CORS, {}, ("*",)) == (("Vary", "Origin"),)


def test_the_date_is_exposed() -> None:
    """LaunchDarkly's browser SDKs compare it with debugEventsUntilDate (launchdarkly.md 1.5)."""
    assert dict(cors.headers(CORS, {"origin": "https://a"}, ("*",)))["Access-Control-Expose-Headers"] == "Date"


def test_a_preflight_allows_the_list_or_what_is_asked() -> None:
    asked = {"access-control-request-headers": "x-injected"}

    assert dict(cors.preflight_headers("POST", CORS, asked))["Access-Control-Allow-Headers"] == "Content-Type,X-A"
    mirrored = Cors("Content-Type", mirror_headers=True)
    assert dict(cors.preflight_headers("POST", mirrored, asked)) == {
        "Access-Control-Allow-Methods": "POST, OPTIONS",
        "Access-Control-Allow-Headers": "x-injected",
        "Access-Control-Max-Age": "300",
    }
    assert dict(cors.preflight_headers("POST", mirrored, {}))["Access-Control-Allow-Headers"] == "Content-Type"
