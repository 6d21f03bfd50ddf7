"""Broken configurations: everything that is wrong is said at once, in order, and no secret with it."""

import pytest

from router.config import SecretSource
from tests.config.texts import ENVIRONMENT, FULL, SECRETS, faults

SHA = "0" * 64
TOKEN = '[[token]]\nname = "a"\nscopes = ["admin"]\n'
FORWARD = f'{ENVIRONMENT}[[environment.forward]]\nurl = "https://hub.example"\n'
WEBHOOK = '[[webhook]]\nvendor = "generic"\nproject = "default"\n'
SOURCES = "write one of sha256, token, file"

BROKEN = {
    "syntax": ("[server]\nbind = [", ["test.toml: is not TOML: invalid value (at end of document)"]),
    "depth": ("a = " + "[" * 5000, ["test.toml: is nested too deeply: no setting needs more than three levels"]),
    "unknown table": ("[sever]\nx = 1", ['sever: unknown key; did you mean "server"?']),
    "unknown keys": (
        '[server]\nmax_bdy = 1\n"odd key" = 1\n[log]\ncolour = 1',
        [
            'server.max_bdy: unknown key; did you mean "max_body"?',
            'server."odd key": unknown key',
            "log.colour: unknown key",
        ],
    ),
    "types": (
        '[server]\nbind = "127.0.0.1:1"\nbacklog = "many"\nfast_lane = 1\nmax_streams = 0\nheartbeat = 2026-01-01',
        [
            'server.bind: must be an array, as in ["127.0.0.1:8080"], not a string',
            "server.backlog: must be an integer, not a string",
            "server.fast_lane: must be true or false, not an integer",
            "server.max_streams: must be from 1 to 10000000",
            'server.heartbeat: must be a duration, as in "90s", or a number of seconds, not a date or time',
        ],
    ),
    "a table as something else": (
        'server = 1\nstorage = ["x"]\nenvironment = 2\ntoken = [3]',
        [
            "server: must be a table, not an integer",
            "storage: must be a table, not an array",
            "environment: must be an array of tables: write [[environment]] for each",
            "token[0]: must be a table, not an integer",
        ],
    ),
    "an array as one table": (
        '[token]\nname = "a"\n[webhook]',
        [
            "token: must be an array of tables: write [[token]] for each",
            "webhook: must be an array of tables: write [[webhook]] for each",
        ],
    ),
    "bind": (
        '[server]\nbind = ["unix:router.sock", "127.0.0.1:1", "127.0.0.1:1"]',
        [
            "server.bind[0]: 'unix:router.sock' has no absolute path of a socket: write unix:/run/router/router.sock",
            "server.bind[2]: the same address twice",
        ],
    ),
    "no bind": ("[server]\nbind = []", ['server.bind: is empty: write at least one address, as in ["127.0.0.1:8080"]']),
    "durations and sizes": (
        '[server]\nmax_body = "10M"\nbody_timeout = "0s"\n[storage]\nmin_free = "lots"\n'
        '[[environment]]\nproject = "a"\nkey = "b"\nretention_age = "7 days"\nretention_bytes = -1\n'
        'dedup_window = "1y"',
        [
            "server.max_body: '10M' is no size: write bytes, or a number and a unit, as in \"10MiB\" or \"10MB\"",
            'server.body_timeout: is too short: write at least "1ms"',
            "storage.min_free: 'lots' is no size: write bytes, or a number and a unit, as in \"10MiB\" or \"10MB\"",
            "environment[0].retention_age: '7 days' is no duration: "
            'write a number and a unit, as in "90s" or "1h30m"',
            "environment[0].retention_bytes: must be from 0 to 9223372036854775807 bytes",
            "environment[0].dedup_window: '1y' is no duration: write a number and a unit, as in \"90s\" or \"1h30m\"",
        ],
    ),
    "a body that never fits": (
        "[server]\nmax_in_flight = 1024",
        ["server.max_in_flight: is less than max_body, 10MiB: such a body would never fit"],
    ),
    "tls": (
        '[server]\ntls_cert = "/nonexistent/crt"',
        [
            "server.tls_cert: cannot read the file /nonexistent/crt: no such file or directory",
            "server.tls_key: is missing: tls_cert needs it",
        ],
    ),
    "origins and aliases": (
        '[server]\ncors_origins = ["https://a.example/"]\nstatsig_aliases = ["events"]',
        [
            "server.cors_origins[0]: 'https://a.example/' is no origin: "
            'write "*" or scheme, host and port only, as in "https://shop.example"',
            "server.statsig_aliases[0]: 'events' is no path: "
            'write one as in "/my/events", without a slash at its end',
        ],
    ),
    "choices": (
        '[storage]\ndurability = "fsinc"\n[log]\nlevel = "loud"\nformat = "JSON"',
        [
            "storage.durability: 'fsinc' is none of fsync, os; did you mean \"fsync\"?",
            "log.level: 'loud' is none of debug, info, warning, error, critical",
            "log.format: 'JSON' is none of auto, json, console",
        ],
    ),
    "an environment without its name": (
        '[[environment]]\nkey = "a b"\n[[environment]]\nproject = "default"',
        [
            "environment[0].key: 'a b' is no key: write letters, digits, dot, dash and underscore, at most 100",
            "environment[0].project: is missing",
            "environment[1].key: is missing",
        ],
    ),
    "an environment twice": (
        ENVIRONMENT + ENVIRONMENT,
        [
            "environment[1].key: the same project and key as environment[0]: "
            "write all of an environment in one place",
        ],
    ),
    "a key in two environments": (
        f'{ENVIRONMENT}sdk_keys = ["sdk-same", "sdk-same"]\n[[environment]]\nproject = "a"\nkey = "b"\n'
        'mobile_keys = [{ env = "SAME" }]',
        [
            "environment[0].sdk_keys[1]: the same key as environment[0].sdk_keys[0]: "
            "a key belongs to exactly one environment",
            "environment[1].mobile_keys[0]: the same key as environment[0].sdk_keys[0]: "
            "a key belongs to exactly one environment",
        ],
    ),
    "secrets": (
        f'{ENVIRONMENT}sdk_keys = [{{ file = "/nonexistent/key" }}, {{ env = "UNSET" }}, '
        '{ file = "a", env = "B" }, "", 3]',
        [
            "environment[0].sdk_keys[0]: cannot read the file /nonexistent/key: no such file or directory",
            "environment[0].sdk_keys[1]: the environment variable UNSET is not set",
            "environment[0].sdk_keys[2]: has two sources, file and env: keep one",
            "environment[0].sdk_keys[3]: is empty",
            'environment[0].sdk_keys[4]: must be a string, { file = "PATH" } or { env = "NAME" }, not an integer',
        ],
    ),
    "a forward": (
        f'{FORWARD}to = "kafka"\n[[environment.forward]]\n',
        [
            "environment[0].forward[0].to: 'kafka' is none of launchdarkly, statsig, router, http",
            "environment[0].forward[1].to: is missing",
            "environment[0].forward[1].url: is missing",
        ],
    ),
    "a forward to a router": (
        f'{FORWARD}to = "router"\nkey = "sdk-x"',
        [
            "environment[0].forward[0].key: is nothing that a forward to router sends: write token",
            "environment[0].forward[0].token: is missing: another router wants an API token of scope ingest",
        ],
    ),
    "a forward to a vendor": (
        f'{FORWARD}to = "statsig"\ntoken = "api-x"',
        [
            "environment[0].forward[0].token: is nothing that statsig knows: "
            "write key, or leave it out for the SDK's own",
        ],
    ),
    "a token without a secret": (TOKEN, [f"token[0]: has no secret: {SOURCES}"]),
    "a token with two": (
        f'{TOKEN}token = "api-a"\nsha256 = "{SHA}"',
        ["token[0]: has several sources of one secret, sha256 and token: keep one"],
    ),
    "a token's digest": (
        f'{TOKEN}sha256 = "12"',
        ["token[0].sha256: must be 64 hex digits, not 2 characters: `router token` makes one"],
    ),
    "a token without rights": (
        '[[token]]\ntoken = "api-a"\nscopes = []\nenvironments = []',
        [
            "token[0].scopes: is empty: write at least one of stream, insights, ingest, admin",
            'token[0].environments: is empty: write "project/environment", or only "*" for all',
            "token[0].name: is missing",
        ],
    ),
    "scopes and environments": (
        f'{ENVIRONMENT}[[token]]\nname = "a"\ntoken = "api-a"\nscopes = ["streams"]\n'
        'environments = ["default/prodction", "*", 1]',
        [
            "token[0].scopes[0]: 'streams' is none of stream, insights, ingest, admin; did you mean \"stream\"?",
            "token[0].environments[0]: 'default/prodction' is no environment of this configuration; "
            'did you mean "default/production"?',
            "token[0].environments[1]: '*' is no environment of this configuration; "
            'write "project/environment", or only "*" for all',
            "token[0].environments[2]: must be a string, not an integer",
        ],
    ),
    "a token twice": (
        f'{TOKEN}token = "api-a"\n{TOKEN}token = "api-a"',
        [
            "token[1].name: the same name as token[0].name",
        ],
    ),
    "a token's secret twice": (
        f'{TOKEN}token = "api-a"\n[[token]]\nname = "b"\nscopes = ["admin"]\ntoken = "api-a"',
        ["token[1].token: the same token as token[0]: make another with `router token`"],
    ),
    "a webhook": (
        f'{ENVIRONMENT}[[webhook]]\nvendor = "github"\nproject = "defualt"\n[[webhook]]\nsecret = 1',
        [
            "webhook[0]: has no secret: write one of secret, file",
            "webhook[0].vendor: 'github' is none of launchdarkly, statsig, generic",
            "webhook[0].project: 'defualt' is the project of no environment of this configuration; "
            'did you mean "default"?',
            'webhook[1].secret: must be a string, { file = "PATH" } or { env = "NAME" }, not an integer',
            "webhook[1].vendor: is missing",
            "webhook[1].project: is missing",
        ],
    ),
    "a webhook twice": (
        f'{ENVIRONMENT}{WEBHOOK}secret = "whsec-a"\n{WEBHOOK}secret = "whsec-a"',
        ["webhook[1].secret: the same vendor and secret as webhook[0]: a signature could not tell them apart"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_configuration_has_exactly_these_faults(text: str, expected: list[str]) -> None:
    assert expected == faults(text, SecretSource({"SAME": "sdk-same"}))


def test_a_good_configuration_has_none() -> None:
    assert faults(FULL) == []


def test_faults_of_all_tables_come_at_once_in_the_order_of_the_file() -> None:
    """Tokens and webhooks are judged last, when all environments are known, and yet reported where they stand."""
    assert [line.partition(":")[0] for line in faults("""
        [[webhook]]
        vendor = "x"
        [[token]]
        scopes = ["x"]
        [server]
        max_body = "x"
        tls_key = "/nonexistent"
        backlog = "x"
        [[environment]]
        key = "x y"
        [[token]]
        name = 1
        [log]
        x = 1
    """)] == [
        "webhook[0]",
        "webhook[0].vendor",
        "webhook[0].project",
        "token[0]",
        "token[0].scopes[0]",
        "token[0].name",
        "token[1]",
        "token[1].name",
        "token[1].scopes",
        "server.max_body",
        "server.tls_key",
        "server.backlog",
        "server.tls_cert",
        "environment[0].key",
        "environment[0].project",
        "log.x",
    ]  # fmt: skip


def test_no_fault_shows_a_secret() -> None:
    """Not even where one is written in the wrong place as well."""
    misplaced = "".join(f'"{secret}" = "{secret}"\n' for secret in SECRETS)
    text = f"{FULL.replace('default/production', 'api-clear')}\n[[environment]]\n{misplaced}\n[log]\n{misplaced}"
    broken = text.replace("[log]\nlevel", "[storage.log]\nlevel").replace('"operator"', '"api-clear"')

    reported = faults(broken)

    assert len(reported) > 2 * len(SECRETS)
    assert [secret for secret in SECRETS if secret in "\n".join(reported)] == []


@pytest.mark.parametrize("secret", ["hunter2 x", "hunter2…", 'hunter2"', "\u00e4b"])
def test_a_secret_that_is_refused_is_not_shown(secret: str) -> None:
    """Wherever a secret may stand."""
    quoted = secret.replace('"', '\\"')
    text = f"""
        [[environment]]
        project = "default"
        key = "production"
        sdk_keys = ["{quoted}", ["{quoted}"]]
        mobile_keys = "{quoted}"
        statsig_keys = [{{ "{quoted}" = "{quoted}" }}]
        client_side_ids = ["{quoted}", {{ file = ["{quoted}"] }}]
        [[environment.forward]]
        to = "http"
        url = "https://me:{quoted}@hub.example"
        token = "{quoted}"
        [[token]]
        name = "a"
        sha256 = "{quoted}"
        scopes = ["admin"]
        [[webhook]]
        vendor = "generic"
        project = "default"
        secret = {{ env = "{quoted}" }}
    """

    reported = faults(text)

    assert len(reported) >= 8
    assert [line for line in reported if secret in line] == []
