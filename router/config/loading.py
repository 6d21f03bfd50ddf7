"""From TOML to a checked `Config`: which keys there are, and what must hold between them."""

import ssl
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from router.config import addresses, values
from router.config.files import stamp
from router.config.model import (
    ApiToken,
    Begin,
    Config,
    Durability,
    Environment,
    Format,
    Forward,
    Level,
    Log,
    Order,
    Server,
    Storage,
    Target,
    Vendor,
    Webhook,
    WhenFull,
)
from router.config.reader import ConfigurationError, Document, Node, Problem, Setting, spell
from router.config.secret import SecretSource, reason
from router.credentials import Scope, Token, digest
from router.names import EnvironmentName, is_key
from router.records import Kind
from router.units import shown, size_text

T = TypeVar("T")


def _several(setting: Setting[T]) -> Setting[tuple[T, ...]]:
    return lambda node: node.each(setting)


def _label(node: Node) -> str:
    text = node.text()
    if not text or len(text) > 100 or not text.isprintable():
        raise ValueError("must be 1 to 100 printable characters")
    return text


def _word(text: str) -> str:
    if not is_key(text):
        raise ValueError(f'{shown(text)} is no dialect: write one as in "launchdarkly"')
    return text


_DEMO_WAY_OUT: Final = 'write "127.0.0.1:8080" or "unix:/path", or serve a configuration of your own'
_ORIGINS: Final = values.several(values.parsed(addresses.origin), "origin", '["https://shop.example"]')

SERVER: Final[Mapping[str, Setting[Any]]] = {
    "bind": values.several(values.parsed(addresses.listening), "address", '["127.0.0.1:8080"]', least=1),
    "tls_cert": values.readable,
    "tls_key": values.readable,
    "max_body": values.room,
    "max_inflated": values.room,
    "max_in_flight": values.room,
    "max_streams": values.count(1, 10_000_000),
    "max_streams_per_token": values.count(0, 10_000_000),
    "stream_max_age": values.duration,
    "write_timeout": values.span,
    "max_head": values.room,
    "max_events": values.count(1, 100_000_000),
    "max_depth": values.count(1, 900),
    "max_ratio": values.count(1, 1_000_000),
    "max_connections": values.count(1, 10_000_000),
    "max_per_address": values.count(0, 10_000_000),
    "trusted_proxies": values.several(values.parsed(addresses.network), "network", '["10.0.0.0/8"]'),
    "key_rate": values.count(0, 10_000_000),
    "key_burst": values.count(1, 10_000_000),
    "cors_origins": _ORIGINS,
    "head_timeout": values.span,
    "body_timeout": values.span,
    "keep_alive_timeout": values.span,
    "tcp_user_timeout": values.span,
    "drain_timeout": values.duration,
    "heartbeat": values.span,
    "backlog": values.count(1, 65_535),
    "watch_interval": values.duration,
    "fast_lane": values.flag,
    "statsig_aliases": values.several(values.parsed(values.alias), "path", '["/my/events"]'),
}
STORAGE: Final[Mapping[str, Setting[Any]]] = {
    "path": values.folder,
    "durability": values.choice(Durability),
    "sync_interval": values.span,
    "min_free": values.size,
    "sweep_interval": values.span,
}
LOG: Final[Mapping[str, Setting[Any]]] = {
    "level": values.choice(Level),
    "format": values.choice(Format),
    "requests": values.flag,
}
FORWARD: Final[Mapping[str, Setting[Any]]] = {
    "to": values.choice(Target),
    "url": values.parsed(addresses.url),
    "token": values.sent(values.secret),
    "key": values.sent(values.secret),
    "name": lambda node: _label(node),
    "kinds": _several(values.choice(Kind)),
    "dialects": values.several(values.parsed(_word), "dialect", '["launchdarkly"]', least=1),
    "begin": values.choice(Begin),
    "order": values.choice(Order),
    "max_bandwidth": values.size_or_none,
    "max_requests": values.count(1, 1_000_000),
    "windows": _several(lambda node: values.window(node.text())),
}
ENVIRONMENT: Final[Mapping[str, Setting[Any]]] = {
    "project": values.key_name,
    "key": values.key_name,
    "retention_age": values.age_or_none,
    "retention_bytes": values.size_or_none,
    "when_full": values.choice(WhenFull),
    "dedup_window": values.duration,
    "insights_age": values.age_or_none,
    "sdk_keys": _several(values.sdk_key),
    "mobile_keys": _several(values.sdk_key),
    "client_side_ids": _several(values.client_side_id),
    "statsig_keys": _several(values.statsig_key),
    "cors_origins": _ORIGINS,
    "forward": lambda node: _tables(node, _forward),
}
# Whether an environment or project exists is known when all of them have been read: those two stay nodes until then.
TOKEN: Final[Mapping[str, Setting[Any]]] = {
    "name": values.name,
    "sha256": values.sha256,
    "token": values.sent(values.secret),
    "file": values.sent(values.secret_file),
    "scopes": _several(values.choice(Scope)),
    "environments": _several(lambda node: node),
}
WEBHOOK: Final[Mapping[str, Setting[Any]]] = {
    "vendor": values.choice(Vendor),
    "project": lambda node: node,
    "secret": values.secret,
    "file": values.secret_file,
}
ROOT: Final[Mapping[str, Setting[Any]]] = {
    "server": lambda node: _server(node),
    "storage": lambda node: Storage(**node.table(STORAGE)),
    "log": lambda node: Log(**node.table(LOG)),
    "environment": lambda node: _tables(node, _environment),
    "token": lambda node: node,
    "webhook": lambda node: node,
}
TABLES: Final[Mapping[str, Mapping[str, Setting[Any]]]] = {
    "server": SERVER,
    "storage": STORAGE,
    "log": LOG,
    "environment": ENVIRONMENT,
    "environment.forward": FORWARD,
    "token": TOKEN,
    "webhook": WEBHOOK,
}
"""Every key there is, by table."""


def load(
    text: str, *, source: str, secrets: SecretSource, bind: tuple[str, ...] = (), data: Path | None = None
) -> Config:
    """The configuration that a TOML text spells.

    source: the name of the text, for faults that are about all of it. bind, data: what was given on the command line;
    where given, they win over the text, which is checked all the same.

    Raises:
        ConfigurationError: with every fault.
    """
    try:
        root = tomllib.loads(text)
    except ValueError as error:
        message = str(error)
        raise ConfigurationError([Problem(source, f"is not TOML: {message[:1].lower()}{message[1:]}")]) from None
    except RecursionError:
        raise ConfigurationError(
            [Problem(source, "is nested too deeply: no setting needs more than three levels")]
        ) from None
    document = Document(root, secrets)
    config = _config(document.root)
    faults = (*document.problems(), *_check_bind(bind))
    if faults:
        raise ConfigurationError(faults)
    if bind:
        config = replace(config, server=replace(config.server, bind=bind))
    if data is not None:
        config = replace(config, storage=replace(config.storage, path=data))
    return config


def read(path: Path, *, environ: Mapping[str, str], bind: tuple[str, ...] = (), data: Path | None = None) -> Config:
    """The configuration in a file, its secrets from where it says.

    environ: environment variables. A relative secret file is looked for in `$CREDENTIALS_DIRECTORY`, then beside
    the configuration file.

    Raises:
        ConfigurationError: with every fault; also where the file cannot be read.
    """
    source = SecretSource(environ, path.parent)
    source.files[path] = stamp(path)
    try:
        config = load(_text(path), source=str(path), secrets=source, bind=bind, data=data)
    except ConfigurationError as error:
        raise ConfigurationError(error.faults, source.files) from None
    return replace(config, files=source.files)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except OSError as error:
        message = f"cannot be read: {reason(error)}; name a configuration with --config, or try --demo"
        raise ConfigurationError([Problem(str(path), message)]) from None
    except UnicodeDecodeError as error:
        message = f"is not TOML: not UTF-8 at byte {error.start}"
        raise ConfigurationError([Problem(str(path), message)]) from None


def demo(*, bind: tuple[str, ...], data: Path) -> Config:
    """The configuration of `--demo`: one environment, `default/production`, with credentials that everybody knows.

    Raises:
        ConfigurationError: an address of `bind` can be reached from other machines, or is none.
    """
    faults = _check_bind(bind) or tuple(
        Problem("--bind", f"{shown(address)} is not loopback, and everybody knows the demo's keys: {_DEMO_WAY_OUT}")
        for address in bind
        if not addresses.is_private(address)
    )
    if faults:
        raise ConfigurationError(faults)
    environment = Environment(
        name=EnvironmentName("default", "production"),
        sdk_keys=("sdk-demo",),
        mobile_keys=("mob-demo",),
        client_side_ids=("demo-client-side-id",),
        statsig_keys=("secret-demo", "client-demo"),
    )
    token = "api-demo"  # noqa: S105 - public on purpose: only loopback can present it
    return Config(
        server=Server(bind=bind) if bind else Server(),
        storage=Storage(path=data),
        environments=(environment,),
        tokens=(ApiToken(rights=Token("demo", frozenset(Scope), None), digest=digest(token), secret=token),),
        webhooks=tuple(Webhook(vendor=vendor, project="default", secret="whsec-demo") for vendor in Vendor),  # noqa: S106 - as above
    )


def _check_bind(bind: tuple[str, ...]) -> tuple[Problem, ...]:
    faults: list[Problem] = []
    for index, address in enumerate(bind):
        try:
            addresses.listening(address)
            if address in bind[:index]:
                raise ValueError(f"the same address twice: {shown(address)}")
        except ValueError as error:
            faults.append(Problem("--bind", str(error)))
    return tuple(faults)


def _config(root: Node) -> Config:
    found = root.table(ROOT)
    environments: tuple[Environment, ...] = found.get("environment", ())
    known = frozenset(environment.name for environment in environments)
    late: dict[str, Callable[[Node], Any]] = {
        "token": lambda node: _tables(node, lambda item: _token(item, known)),
        "webhook": lambda node: _tables(node, lambda item: _webhook(item, known)),
    }
    tokens, webhooks = (found[key].attempt(late[key]) if key in found else () for key in late)
    return Config(
        server=found.get("server", Server()),
        storage=found.get("storage", Storage()),
        log=found.get("log", Log()),
        environments=environments,
        tokens=tokens or (),
        webhooks=webhooks or (),
    )


def _tables(node: Node, setting: Setting[T | None]) -> tuple[T, ...]:
    if not isinstance(node.value, list):
        key = ".".join(step for step in node.place if isinstance(step, str))
        raise ValueError(f"must be an array of tables: write [[{key}]] for each")
    made = (node.child(index).attempt(setting) for index in range(len(node.value)))
    return tuple(item for item in made if item is not None)


def _server(node: Node) -> Server:
    found = node.table(SERVER)
    for one, other in (("tls_cert", "tls_key"), ("tls_key", "tls_cert")):
        if one in node.value and other not in node.value:
            node.fault(f"is missing: {one} needs it", other)
    if found.get("tls_cert") and found.get("tls_key"):
        _check_pair(node, found["tls_cert"], found["tls_key"])
    largest = found.get("max_body", Server().max_body)
    if found.get("max_in_flight", largest) < largest and ("max_body" in found or "max_body" not in node.value):
        node.fault(f"is less than max_body, {size_text(largest)}: such a body would never fit", "max_in_flight")
    found.setdefault("max_in_flight", max(Server().max_in_flight, largest))
    return Server(**found)


def _check_pair(node: Node, certificate: Path, key: Path) -> None:
    try:
        # A password is never asked for: nobody sits at the terminal of a daemon.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, OSError) as error:
        cause = getattr(error, "reason", None) or "not PEM"
        text = str(cause).lower().replace("_", " ")
        node.fault(f"does not work with tls_key: {text}; both must be PEM, of one pair, the key open", "tls_cert")


def _environment(node: Node) -> Environment | None:
    found = node.table(ENVIRONMENT, required=("project", "key"))
    if "project" not in found or "key" not in found:
        return None
    name = EnvironmentName(found.pop("project"), found.pop("key"))
    first = node.document.claim("environment", name, node.place)
    if first is not None:
        node.fault(f"the same project and key as {spell(first)}: write all of an environment in one place", "key")
    forwards: tuple[Forward, ...] = found.pop("forward", ())
    called = [forward.called for forward in forwards]
    if len(set(called)) < len(called):
        node.fault("two of them are to the same place: give each a name of its own", "forward")
    return Environment(name=name, forwards=forwards, **found)


def _forward(node: Node) -> Forward | None:
    found = node.table(FORWARD, required=("to", "url"))
    target = found.get("to")
    if target is Target.ROUTER and "token" not in node.value:
        node.fault("is missing: another router wants an API token of scope ingest", "token")
    if target in (Target.LAUNCHDARKLY, Target.STATSIG) and "token" in node.value:
        node.fault(f"is nothing that {target} knows: write key, or leave it out for the SDK's own", "token")
    if target in (Target.ROUTER, Target.HTTP) and "key" in node.value:
        node.fault(f"is nothing that a forward to {target} sends: write token", "key")
    if "kinds" in found:
        found["kinds"] = found["kinds"] or None
    return Forward(**found) if "to" in found and "url" in found else None


def _token(node: Node, known: frozenset[EnvironmentName]) -> ApiToken | None:
    found = node.table(TOKEN, required=("name", "scopes"))
    source = _source(node, ("sha256", "token", "file"))
    environments: frozenset[EnvironmentName] | None = None
    mentioned: tuple[Node, ...] | None = found.get("environments")
    if mentioned is not None and [item.value for item in mentioned] != ["*"]:
        environments = frozenset(
            name for item in mentioned if (name := item.attempt(values.environment(known))) is not None
        )
        if not mentioned:
            node.fault('is empty: write "project/environment", or only "*" for all', "environments")
    if "scopes" in found and not node.value["scopes"]:
        node.fault(f"is empty: write at least one of {', '.join(Scope)}", "scopes")
    if source not in found or "name" not in found:
        return None
    secret: bytes | str = found[source]
    hashed = secret if isinstance(secret, bytes) else digest(secret)
    first = node.document.claim("token", hashed, node.place)
    if first is not None:
        node.fault(f"the same token as {spell(first)}: make another with `router token`", source)
    return ApiToken(
        rights=Token(found["name"], frozenset(found.get("scopes", ())), environments),
        digest=hashed,
        secret=None if isinstance(secret, bytes) else secret,
    )


def _webhook(node: Node, known: frozenset[EnvironmentName]) -> Webhook | None:
    found = node.table(WEBHOOK, required=("vendor", "project"))
    source = _source(node, ("secret", "file"))
    projects = frozenset(name.project for name in known)
    project = found["project"].attempt(values.project(projects)) if "project" in found else None
    if source not in found or "vendor" not in found or project is None:
        return None
    vendor, secret = found["vendor"], found[source]
    first = node.document.claim("webhook", (vendor, secret), node.place)
    if first is not None:
        node.fault(f"the same vendor and secret as {spell(first)}: a signature could not tell them apart", source)
    return Webhook(vendor=vendor, project=project, secret=secret)


def _source(node: Node, keys: tuple[str, ...]) -> str:
    """The one of `keys` that a table has; a fault is noted where it has none, or several."""
    given = [key for key in keys if key in node.value]
    if not given:
        node.fault(f"has no secret: write one of {', '.join(keys)}")
    elif len(given) > 1:
        node.fault(f"has several sources of one secret, {' and '.join(given)}: keep one")
    return given[0] if given else ""
