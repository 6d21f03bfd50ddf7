"""Who is asking: digests of keys and tokens, and what each may do.

Secrets are looked up by their SHA-256, so nothing that handles requests holds them and a look-up takes the same time
whatever was sent.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from router.names import EnvironmentName


class CredentialKind(StrEnum):
    """What a credential is; client-side IDs and Statsig client keys are public, the others are secrets."""

    SDK_KEY = "sdk_key"
    MOBILE_KEY = "mobile_key"
    CLIENT_SIDE_ID = "client_side_id"
    STATSIG_KEY = "statsig_key"
    API_TOKEN = "api_token"  # noqa: S105 - the name of a kind


class Scope(StrEnum):
    """What an API token may do."""

    STREAM = "stream"
    INSIGHTS = "insights"
    INGEST = "ingest"
    ADMIN = "admin"


def digest(secret: str) -> bytes:
    """SHA-256 of a secret's UTF-8 bytes. Keys are random and long: nothing slower is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def new_token() -> str:
    """An API token that nobody guesses: 256 random bits, in characters that every header and URL may hold."""
    return f"api-{secrets.token_urlsafe(32)}"


def fingerprint(secret: str) -> str:
    """Eight hex digits that name a secret in logs and redactions without giving it away."""
    return digest(secret).hex()[:8]


@dataclass(frozen=True, slots=True)
class Token:
    """An API token's rights. `environments` is None where it covers all of them. `digest` is set by the keyring that it
    is found in, and empty for one that is in none."""

    name: str
    scopes: frozenset[Scope]
    environments: frozenset[EnvironmentName] | None
    digest: bytes = field(default=b"", repr=False, compare=False)

    def covers(self, environment: EnvironmentName) -> bool:
        return self.environments is None or environment in self.environments


class Keyring:
    """All credentials in force. Immutable: a reload makes a new one.

    keys: (digest of the key, its kind, its environment) for each SDK key.
    tokens: (digest of the token, its rights) for each API token.
    """

    def __init__(
        self,
        keys: Iterable[tuple[bytes, CredentialKind, EnvironmentName]] = (),
        tokens: Iterable[tuple[bytes, Token]] = (),
    ) -> None:
        self._keys = {key: (kind, environment) for key, kind, environment in keys}
        self._tokens = {key: replace(token, digest=key) for key, token in tokens}

    def environment(self, secret: str, kinds: frozenset[CredentialKind]) -> EnvironmentName | None:
        """The environment of an SDK key, or None where it is not known as one of `kinds`."""
        return self.environment_of(digest(secret), kinds)

    def environment_of(self, key: bytes, kinds: frozenset[CredentialKind]) -> EnvironmentName | None:
        """The same by the key's digest."""
        found = self._keys.get(key)
        if found is None or found[0] not in kinds:
            return None
        return found[1]

    def token(self, secret: str) -> Token | None:
        """The rights of an API token, or None where it is not known."""
        return self._tokens.get(digest(secret))

    def grants(self, token: Token, scope: Scope, environment: EnvironmentName) -> bool:
        """Whether a token that another keyring has found, before a reload, may still do that."""
        if not token.digest:
            return True
        now = self._tokens.get(token.digest)
        return now is not None and scope in now.scopes and now.covers(environment)
