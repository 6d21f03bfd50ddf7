"""Who may use the endpoints that people and programs read: tokens, scopes, and the machine's own operator."""

import re
from collections.abc import Mapping
from ipaddress import ip_address

from router.credentials import Keyring, Scope, Token
from router.errors import Fault, Rejected
from router.names import EnvironmentName

FORWARDING_HEADERS = ("forwarded", "x-forwarded-for", "x-real-ip")


def presented(headers: Mapping[str, str], query: Mapping[str, str]) -> str | None:
    """The token of a request: `Authorization` as `api_key TOKEN`, `Bearer TOKEN` or bare, else `?token=`."""
    value = headers.get("authorization", "").strip()
    scheme, space, rest = value.partition(" ")
    if space and scheme.lower() in ("api_key", "bearer"):
        value = rest.strip()
    return value or query.get("token") or None


def require(keyring: Keyring, secret: str | None, scope: Scope) -> Token:
    """The token's rights.

    Raises:
        Rejected: no token, an unknown one, or one without `scope`.
    """
    if secret is None:
        raise Rejected(Fault.UNAUTHENTICATED, "no API token: send one as `Authorization: Bearer TOKEN`")
    token = keyring.token(secret)
    if token is None:
        raise Rejected(Fault.UNAUTHENTICATED, "the API token is not known")
    if scope not in token.scopes:
        raise Rejected(Fault.FORBIDDEN, f"the API token lacks the scope {scope.value}")
    return token


def choose(
    token: Token, project: str | None, key: str | None, known: Mapping[EnvironmentName, object]
) -> EnvironmentName:
    """The one environment that a request is about: named by it, or the only one that its token covers.

    Raises:
        ValueError: the request does not say which, or says half of it.
        Rejected: the token does not cover it; the same whether it exists or not.
    """
    covered = [name for name in known if token.covers(name)]
    if project is None and key is None:
        if len(covered) == 1:
            return covered[0]
        raise ValueError("the token covers several environments: name one with ?project=…&environment=…")
    if project is None or key is None:
        raise ValueError("name both: ?project=…&environment=…")
    for name in covered:
        if (name.project, name.key) == (project, key):
            return name
    raise Rejected(Fault.FORBIDDEN, "the API token does not cover that environment")


def is_lured(headers: Mapping[str, str]) -> bool:
    """Whether a browser on this machine may be asking for somebody else's page: from another site, or for a name that
    a stranger's DNS leads here. Its user is the operator; the page is not."""
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return True
    host = headers.get("host", "")
    if (origin := headers.get("origin")) is not None and origin.partition("://")[2] != host:
        return True
    name = host.rpartition(":")[0] if re.search(r":\d*$", host) else host
    if not name or name == "localhost":
        return False
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return True
    return False


def is_local(client: str | None, headers: Mapping[str, str]) -> bool:
    """Whether the peer is on this machine: a unix socket or loopback, and not a proxy passing on somebody else."""
    if any(name in headers for name in FORWARDING_HEADERS):
        return False
    if not client:
        return True
    try:
        return ip_address(client).is_loopback
    except ValueError:
        return False
