"""Keys open their own environment in their own role, tokens what they cover."""

from router.credentials import CredentialKind, Keyring, Scope, Token, digest, fingerprint
from router.names import EnvironmentName

PRODUCTION = EnvironmentName("default", "production")
STAGING = EnvironmentName("default", "staging")
SERVER = frozenset({CredentialKind.SDK_KEY, CredentialKind.MOBILE_KEY})


def test_a_key_opens_its_environment_in_its_role_only() -> None:
    keyring = Keyring([(digest("sdk-1"), CredentialKind.SDK_KEY, PRODUCTION)])

    assert keyring.environment("sdk-1", SERVER) == PRODUCTION
    assert keyring.environment("sdk-1", frozenset({CredentialKind.CLIENT_SIDE_ID})) is None
    assert keyring.environment("sdk-2", SERVER) is None


def test_a_token_is_found_by_its_text_and_covers_what_it_names() -> None:
    token = Token("warehouse", frozenset({Scope.STREAM}), frozenset({PRODUCTION}))
    keyring = Keyring(tokens=[(digest("api-1"), token)])

    assert token == keyring.token("api-1")
    assert keyring.token("api-2") is None
    assert token.covers(PRODUCTION)
    assert not token.covers(STAGING)
    assert Token("all", frozenset(), None).covers(STAGING)


def test_a_token_found_before_a_reload_has_the_rights_that_its_secret_has_after_it() -> None:
    rights = Token("warehouse", frozenset({Scope.STREAM}), frozenset({PRODUCTION}))
    found = Keyring(tokens=[(digest("api-1"), rights)]).token("api-1")
    assert found is not None

    def granted(*tokens: tuple[bytes, Token]) -> bool:
        return Keyring(tokens=tokens).grants(found, Scope.STREAM, PRODUCTION)

    assert granted((digest("api-1"), rights))
    assert granted((digest("api-1"), Token("another name", frozenset(Scope), None)))
    assert not granted()
    assert not granted((digest("api-2"), rights)), "the same name with another secret"
    assert not granted((digest("api-1"), Token("warehouse", frozenset({Scope.INSIGHTS}), None)))
    assert not granted((digest("api-1"), Token("warehouse", frozenset(Scope), frozenset({STAGING}))))
    assert Keyring().grants(rights, Scope.STREAM, PRODUCTION), "nobody's secret: not a keyring's to take away"


def test_odd_text_is_an_unknown_key_not_an_error() -> None:
    """Headers arrive as latin-1 and paths with surrogates: a look-up must survive them."""
    assert Keyring().environment("\udc80\x00ü", SERVER) is None


def test_a_fingerprint_is_short_and_stable() -> None:
    assert fingerprint("secret") == "2bb80d53"
    assert "secret" not in fingerprint("secret")
