"""Who may read what: tokens in every spelling, scopes, environments, and the machine's own operator."""

import pytest

from router.credentials import Keyring, Scope, Token, digest
from router.errors import Fault, Rejected
from router.http import access
from router.names import EnvironmentName

PRODUCTION = EnvironmentName("default", "production")
STAGING = EnvironmentName("default", "staging")
KNOWN = {PRODUCTION: None, STAGING: None}
ONE = Token("one", frozenset({Scope.STREAM}), frozenset({PRODUCTION}))
ALL = Token("all", frozenset(Scope), None)
KEYRING = Keyring(tokens=[(digest("api-one"), ONE), (digest("api-all"), ALL)])


@pytest.mark.parametrize(
    ("header", "query", "expected"),
    [
        ("api_key T", {}, "T"),
        ("Bearer T", {}, "T"),
        ("bearer  T ", {}, "T"),
        ("T", {}, "T"),
        ("", {"token": "T"}, "T"),
        ("T", {"token": "U"}, "T"),
        ("", {}, None),
        ("Bearer ", {}, "Bearer"),
    ],
)
def test_a_token_is_found_in_every_spelling(header: str, query: dict[str, str], expected: str | None) -> None:
    assert access.presented({"authorization": header}, query) == expected


@pytest.mark.parametrize(
    ("secret", "scope", "fault"),
    [
        (None, Scope.STREAM, Fault.UNAUTHENTICATED),
        ("nobody", Scope.STREAM, Fault.UNAUTHENTICATED),
        ("api-one", Scope.ADMIN, Fault.FORBIDDEN),
    ],
)
def test_what_is_not_covered_is_refused(secret: str | None, scope: Scope, fault: Fault) -> None:
    with pytest.raises(Rejected) as caught:
        access.require(KEYRING, secret, scope)
    assert caught.value.fault is fault


def test_a_known_token_with_the_scope_passes() -> None:
    assert access.require(KEYRING, "api-one", Scope.STREAM) == ONE


def test_the_environment_is_the_only_one_or_the_named_one() -> None:
    assert access.choose(ONE, None, None, KNOWN) == PRODUCTION
    assert access.choose(ALL, "default", "staging", KNOWN) == STAGING
    with pytest.raises(ValueError, match="covers several environments"):
        access.choose(ALL, None, None, KNOWN)
    with pytest.raises(ValueError, match="name both"):
        access.choose(ALL, "default", None, KNOWN)


@pytest.mark.parametrize("key", ["staging", "no-such"])
def test_a_foreign_environment_is_refused_the_same_whether_it_exists(key: str) -> None:
    with pytest.raises(Rejected, match="does not cover that environment"):
        access.choose(ONE, "default", key, KNOWN)


@pytest.mark.parametrize(
    ("client", "headers", "local"),
    [
        ("127.0.0.1", {}, True),
        ("::1", {}, True),
        (None, {}, True),
        ("127.0.0.1", {"x-forwarded-for": "10.0.0.1"}, False),
        ("127.0.0.1", {"forwarded": "for=10.0.0.1"}, False),
        ("192.0.2.7", {}, False),
        ("<local>", {}, False),
    ],
)
def test_only_this_machine_is_local_and_no_proxy_on_it(
    client: str | None, headers: dict[str, str], local: bool
) -> None:
    assert access.is_local(client, headers) is local


@pytest.mark.parametrize(
    ("headers", "lured"),
    [
        ({}, False),
        ({"host": "127.0.0.1:8080"}, False),
        ({"host": "localhost"}, False),
        ({"host": "[::1]:8080"}, False),
        ({"host": "[::1]"}, False),
        ({"host": "192.0.2.7:80"}, False),
        ({"host": "rebound.example:8080"}, True),
        ({"host": "localhost.example"}, True),
        ({"host": "localhost:8080", "origin": "http://localhost:8080"}, False),
        ({"host": "localhost:8080", "origin": "http://localhost:9090"}, True),
        ({"host": "localhost:8080", "origin": "null"}, True),
        ({"host": "localhost:8080", "sec-fetch-site": "same-origin"}, False),
        ({"host": "localhost:8080", "sec-fetch-site": "cross-site"}, True),
        ({"host": "localhost:8080", "sec-fetch-site": "none"}, False),
    ],
)
def test_a_page_of_somebody_else_is_not_the_operator(headers: dict[str, str], lured: bool) -> None:
    assert access.is_lured(headers) is lured
