"""Configurations to test with, and the ways to load one."""

from pathlib import Path

from router.config import Config, ConfigurationError, SecretSource, load

ENVIRONMENT = """
[[environment]]
project = "default"
key = "production"
"""
FULL = """
[server]
bind = ["127.0.0.1:0", "[::1]:8080", "unix:/run/router/router.sock", "fd://3"]
max_body = "1MiB"
max_inflated = 4096
cors_origins = ["https://Shop.example:8443"]
fast_lane = false
statsig_aliases = ["/my/events"]
drain_timeout = 0

[storage]
path = "/srv/router"
durability = "os"
min_free = "0"

[log]
level = "debug"
format = "json"
requests = true

[[environment]]
project = "default"
key = "production"
retention_age = "2d"
retention_bytes = "0"
dedup_window = 0.5
sdk_keys = ["sdk-first", "sdk-second"]
mobile_keys = ["mob-first"]
client_side_ids = ["public-id"]
statsig_keys = ["secret-first", "client-first"]
cors_origins = []

[[environment.forward]]
to = "router"
url = "https://hub.example/"
token = "api-forward"

[[environment.forward]]
to = "statsig"
url = "https://events.statsigapi.net/v1"
key = "client-forward"

[[environment]]
project = "default"
key = "test"
retention_age = 0
sdk_keys = ["sdk-test"]

[[token]]
name = "warehouse"
token = "api-clear"
scopes = ["stream", "insights"]
environments = ["default/production"]

[[token]]
name = "operator"
sha256 = "AB00000000000000000000000000000000000000000000000000000000000000"
scopes = ["admin"]
environments = ["*"]

[[webhook]]
vendor = "launchdarkly"
project = "default"
secret = "whsec-first"
"""
SECRETS = (
    "sdk-first",
    "sdk-second",
    "mob-first",
    "secret-first",
    "api-forward",
    "sdk-test",
    "api-clear",
    "whsec-first",
)


def loaded(
    text: str, secrets: SecretSource | None = None, *, bind: tuple[str, ...] = (), data: Path | None = None
) -> Config:
    return load(text, source="test.toml", secrets=secrets or SecretSource(), bind=bind, data=data)


def faults(text: str, secrets: SecretSource | None = None, *, bind: tuple[str, ...] = ()) -> list[str]:
    """What is reported of `text`, a line for each fault; none where it is good."""
    try:
        loaded(text, secrets, bind=bind)
    except ConfigurationError as error:
        return [str(problem) for problem in error.faults]
    return []
