"""What a configuration gives to the rest: a keyring, the secrets to keep out, and what a reload cannot change."""

import hashlib
from dataclasses import fields, replace
from pathlib import Path

from router.config import Config, Durability, Environment, Forward, Log, Server, Storage, Target
from router.config.loading import TABLES
from router.config.model import AT_START, RELOADED, is_public
from router.credentials import CredentialKind, Scope
from router.names import EnvironmentName
from tests.config.texts import FULL, SECRETS, loaded

PRODUCTION = EnvironmentName("default", "production")
TEST = EnvironmentName("default", "test")


def test_the_keyring_knows_every_key_by_its_kind_and_environment() -> None:
    keyring = loaded(FULL).keyring()

    for secret, kind, name in [
        ("sdk-first", CredentialKind.SDK_KEY, PRODUCTION),
        ("sdk-second", CredentialKind.SDK_KEY, PRODUCTION),
        ("mob-first", CredentialKind.MOBILE_KEY, PRODUCTION),
        ("public-id", CredentialKind.CLIENT_SIDE_ID, PRODUCTION),
        ("secret-first", CredentialKind.STATSIG_KEY, PRODUCTION),
        ("client-first", CredentialKind.STATSIG_KEY, PRODUCTION),
        ("sdk-test", CredentialKind.SDK_KEY, TEST),
    ]:
        assert keyring.environment(secret, frozenset({kind})) == name
        assert keyring.environment(secret, frozenset(CredentialKind) - {kind}) is None
    assert keyring.environment("api-clear", frozenset(CredentialKind)) is None


def test_the_keyring_knows_what_tokens_may_do() -> None:
    token = loaded(FULL).keyring().token("api-clear")

    assert token is not None
    assert token.name == "warehouse"
    assert token.scopes == frozenset({Scope.STREAM, Scope.INSIGHTS})
    assert token.covers(PRODUCTION)
    assert not token.covers(TEST)


def test_a_token_given_by_its_digest_is_known_by_its_text() -> None:
    digest = hashlib.sha256(b"api-unseen").hexdigest()
    config = loaded(f'[[token]]\nname = "a"\nscopes = ["admin"]\nsha256 = "{digest}"')

    token = config.keyring().token("api-unseen")

    assert token is not None
    assert token.covers(TEST)
    assert config.secrets() == ()


def test_secrets_are_all_that_must_not_be_seen_and_nothing_public() -> None:
    assert set(loaded(FULL).secrets()) == set(SECRETS)


def test_a_secret_used_twice_is_said_once() -> None:
    """A forward may well post with the key that its SDKs use."""
    config = loaded(
        '[[environment]]\nproject = "a"\nkey = "b"\nsdk_keys = ["sdk-once"]\n'
        '[[environment.forward]]\nto = "launchdarkly"\nurl = "https://x.example"\nkey = "sdk-once"'
    )

    assert config.secrets() == ("sdk-once",)


def test_a_forward_to_launchdarkly_may_name_a_public_id() -> None:
    forward = Forward(to=Target.LAUNCHDARKLY, url="https://x.example", key="public-id")
    environment = Environment(name=PRODUCTION, client_side_ids=("public-id",), forwards=(forward,))

    assert Config(environments=(environment,)).secrets() == ()


def test_only_statsigs_client_keys_are_public_by_their_looks() -> None:
    assert is_public("client-x")
    assert not is_public("secret-x")
    environment = Environment(name=PRODUCTION, mobile_keys=("client-looking-key",))
    assert Config(environments=(environment,)).secrets() == ("client-looking-key",)


def test_no_secret_is_in_any_repr() -> None:
    config = loaded(FULL)
    shown = repr(config)

    assert [secret for secret in SECRETS if secret in shown] == []
    assert "public-id" in shown
    assert all(token.digest.hex()[:16] not in shown for token in config.tokens)


def test_a_reload_says_what_it_cannot_change() -> None:
    old = Config()
    new = replace(
        old,
        server=replace(old.server, bind=("[::1]:1",), max_body=1, max_streams=1, fast_lane=False),
        storage=replace(old.storage, durability=Durability.OS, min_free=0),
        environments=(Environment(name=TEST),),
    )

    assert old.needs_restart(new) == ("server.bind", "server.fast_lane", "storage.durability")
    assert old.needs_restart(replace(old, server=replace(old.server, max_body=1))) == ()


def test_every_setting_is_either_reloaded_or_read_at_the_start() -> None:
    records = (("server", Server), ("storage", Storage), ("log", Log))
    settings = {f"{table}.{item.name}" for table, record in records for item in fields(record)}

    assert settings == set(AT_START) | RELOADED
    assert not set(AT_START) & RELOADED


def test_the_tables_have_a_key_for_every_field() -> None:
    """What the model holds can be configured, and what can be configured is held."""
    for table, record in (("server", Server), ("storage", Storage), ("log", Log), ("environment.forward", Forward)):
        assert set(TABLES[table]) == {item.name for item in fields(record)}
    own = {item.name for item in fields(Environment)}
    assert set(TABLES["environment"]) - {"project", "key", "forward"} == own - {"name", "forwards"}


def test_defaults_are_those_of_the_contract() -> None:
    config = Config(environments=(Environment(name=PRODUCTION),))

    assert config.server.bind == ("127.0.0.1:8080",)
    assert (config.server.max_body, config.server.max_inflated) == (10_485_760, 67_108_864)
    assert config.server.cors_origins == ("*",)
    assert config.server.fast_lane
    assert config.storage == Storage(path=Path("/var/lib/router"), durability=Durability.FSYNC, min_free=268_435_456)
    (environment,) = config.environments
    assert (environment.retention_age, environment.retention_bytes) == (604_800.0, 10_737_418_240)
    assert environment.dedup_window == 3600.0
