"""Whole configurations: what a good one gives, what wins over it, and the demo's."""

from dataclasses import replace
from pathlib import Path

import pytest

from router.config import (
    Config,
    ConfigurationError,
    Durability,
    Format,
    Forward,
    Level,
    Log,
    Problem,
    Server,
    Storage,
    Target,
    Vendor,
    Webhook,
    demo,
    read,
)
from router.credentials import CredentialKind, Scope
from router.names import EnvironmentName
from tests.config.texts import ENVIRONMENT, FULL, faults, loaded
from tests.pairs import write_pair

PRODUCTION = EnvironmentName("default", "production")


def test_an_empty_text_is_the_defaults() -> None:
    assert loaded("") == Config()


def test_the_tables_that_exist_once_are_read() -> None:
    config = loaded(FULL)

    assert config.server == Server(
        bind=("127.0.0.1:0", "[::1]:8080", "unix:/run/router/router.sock", "fd://3"),
        max_body=1_048_576,
        max_inflated=4096,
        cors_origins=("https://shop.example:8443",),
        fast_lane=False,
        statsig_aliases=("/my/events",),
        drain_timeout=0.0,
    )
    assert config.storage == Storage(path=Path("/srv/router"), durability=Durability.OS, min_free=0)
    assert config.log == Log(level=Level.DEBUG, format=Format.JSON, requests=True)


def test_environments_are_read_in_their_order() -> None:
    production, test = loaded(FULL).environments

    assert (production.name, test.name) == (PRODUCTION, EnvironmentName("default", "test"))
    assert (production.retention_age, production.retention_bytes) == (172_800.0, None)
    assert production.dedup_window == 0.5
    assert production.cors_origins == ()
    assert (test.retention_age, test.cors_origins) == (None, None)
    assert [key for key, _ in production.credentials()] == [
        "sdk-first",
        "sdk-second",
        "mob-first",
        "public-id",
        "secret-first",
        "client-first",
    ]
    assert production.forwards == (
        Forward(to=Target.ROUTER, url="https://hub.example", token="api-forward"),
        Forward(to=Target.STATSIG, url="https://events.statsigapi.net/v1", key="client-forward"),
    )


def test_tokens_and_webhooks_are_read() -> None:
    config = loaded(FULL)
    warehouse, operator = config.tokens

    assert warehouse.secret == "api-clear"
    assert warehouse.rights.environments == frozenset({PRODUCTION})
    assert operator.secret is None
    assert operator.digest == b"\xab" + bytes(31)
    assert operator.rights.environments is None
    assert config.webhooks == (Webhook(vendor=Vendor.LAUNCHDARKLY, project="default", secret="whsec-first"),)


def test_tables_may_come_in_any_order() -> None:
    """A token may name an environment that comes after it."""
    token = '[[token]]\nname = "a"\ntoken = "api-a"\nscopes = ["admin"]\nenvironments = ["default/production"]\n'

    assert faults(token + ENVIRONMENT) == []


def test_a_larger_body_makes_room_for_itself() -> None:
    """Whoever raises one limit need not know of the other."""
    assert loaded('[server]\nmax_body = "100MiB"').server.max_in_flight == 100 * 2**20
    assert loaded('[server]\nmax_body = "1MiB"').server.max_in_flight == Server().max_in_flight


def test_the_command_line_wins(tmp_path: Path) -> None:
    file = tmp_path / "router.toml"
    file.write_text('[server]\nbind = ["127.0.0.1:1"]\n[storage]\npath = "/srv/router"\ndurability = "os"')
    config = read(file, environ={}, bind=("[::1]:2", "unix:/x"), data=Path("here"))

    assert config.server.bind == ("[::1]:2", "unix:/x")
    assert config.storage == Storage(path=Path("here"), durability=Durability.OS)
    assert read(file, environ={}).server.bind == ("127.0.0.1:1",)
    assert read(file, environ={}).storage.path == Path("/srv/router")


def test_what_the_command_line_wins_over_is_checked_all_the_same() -> None:
    assert faults('[server]\nbind = ["nowhere"]', bind=("relative.sock", "[::1]:1", "[::1]:1")) == [
        "server.bind[0]: 'nowhere' is no address: "
        'write "127.0.0.1:8080", "[::1]:8080", "unix:/path" or "fd://3"',
        "--bind: 'relative.sock' is no address: "
        'write "127.0.0.1:8080", "[::1]:8080", "unix:/path" or "fd://3"',
        "--bind: the same address twice: '[::1]:1'",
    ]  # fmt: skip


def test_relative_paths_are_beside_the_file(tmp_path: Path) -> None:
    file = tmp_path / "router.toml"
    file.write_text('[storage]\npath = "data"\n[server]\ntls_cert = "crt"\ntls_key = "key"')
    write_pair(tmp_path / "crt", tmp_path / "key")
    config = read(file, environ={})

    assert config.storage.path == tmp_path / "data"
    assert (config.server.tls_cert, config.server.tls_key) == (tmp_path / "crt", tmp_path / "key")


def test_every_secret_may_be_elsewhere(tmp_path: Path) -> None:
    """In a file beside the configuration, among systemd's credentials, in the environment."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "passed").write_text("api-passed\n")
    (tmp_path / "beside").write_text("sdk-beside\n")
    (tmp_path / "signing").write_text("whsec-beside\n")
    (tmp_path / "router.toml").write_text(
        f"""{ENVIRONMENT}
        sdk_keys = [{{ file = "beside" }}, "sdk-text"]
        statsig_keys = [{{ env = "STATSIG_KEY" }}]
        [[environment.forward]]
        to = "router"
        url = "https://hub.example"
        token = {{ env = "HUB_TOKEN" }}
        [[token]]
        name = "a"
        file = "passed"
        scopes = ["admin"]
        [[token]]
        name = "b"
        token = {{ file = "{tmp_path}/credentials/passed2" }}
        scopes = ["admin"]
        [[webhook]]
        vendor = "generic"
        project = "default"
        file = "signing"
        """
    )
    (credentials / "passed2").write_text("api-second")
    environ = {"CREDENTIALS_DIRECTORY": str(credentials), "STATSIG_KEY": "secret-env", "HUB_TOKEN": "api-hub"}

    config = read(tmp_path / "router.toml", environ=environ)

    assert config.secrets() == (
        "sdk-beside",
        "sdk-text",
        "secret-env",
        "api-hub",
        "api-passed",
        "api-second",
        "whsec-beside",
    )


def test_a_file_that_cannot_be_read_is_the_one_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path / "router.toml", environ={})

    assert caught.value.faults == (
        Problem(
            f"{tmp_path}/router.toml",
            "cannot be read: no such file or directory; name a configuration with --config, or try --demo",
        ),
    )


def test_a_file_of_other_bytes_is_no_toml(tmp_path: Path) -> None:
    (tmp_path / "router.toml").write_bytes(b"[server]\n# \xff")
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path / "router.toml", environ={})

    assert str(caught.value) == f"{tmp_path}/router.toml: is not TOML: not UTF-8 at byte 11"


def test_the_demo_is_one_environment_with_the_keys_of_the_contract(tmp_path: Path) -> None:
    config = demo(bind=(), data=tmp_path)
    keyring = config.keyring()

    assert config.server == Server(bind=("127.0.0.1:8080",))
    assert config.storage.path == tmp_path
    assert [environment.name for environment in config.environments] == [PRODUCTION]
    for secret, kind in [
        ("sdk-demo", CredentialKind.SDK_KEY),
        ("mob-demo", CredentialKind.MOBILE_KEY),
        ("demo-client-side-id", CredentialKind.CLIENT_SIDE_ID),
        ("secret-demo", CredentialKind.STATSIG_KEY),
        ("client-demo", CredentialKind.STATSIG_KEY),
    ]:
        assert keyring.environment(secret, frozenset({kind})) == PRODUCTION
    token = keyring.token("api-demo")
    assert token is not None
    assert token.scopes == frozenset(Scope)
    assert token.covers(PRODUCTION)
    assert [(item.vendor, item.project, item.secret) for item in config.webhooks] == [
        (vendor, "default", "whsec-demo") for vendor in Vendor
    ]


@pytest.mark.parametrize("address", ["127.0.0.1:0", "127.1.2.3:1", "[::1]:8080", "localhost:80", "unix:/tmp/x"])
def test_the_demo_listens_where_only_this_machine_can_reach_it(address: str, tmp_path: Path) -> None:
    config = demo(bind=(address,), data=tmp_path)

    assert config.server == replace(Server(), bind=(address,))


@pytest.mark.parametrize("address", ["0.0.0.0:8080", "[::]:8080", "10.0.0.1:80", "router.example:80", "fd://3"])
def test_the_demo_refuses_what_others_may_reach(address: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        demo(bind=("127.0.0.1:8080", address), data=tmp_path)

    (fault,) = caught.value.faults
    assert str(fault) == (
        f"--bind: '{address}' is not loopback, and everybody knows the demo's keys: "
        'write "127.0.0.1:8080" or "unix:/path", or serve a configuration of your own'
    )


def test_the_demo_refuses_what_is_no_address(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^--bind: 'x' is no address"):
        demo(bind=("x",), data=tmp_path)
