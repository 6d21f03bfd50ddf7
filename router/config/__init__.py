"""The configuration: a TOML file, checked whole, in the units that code works with.

`load`, `read` and `demo` make a `Config` or raise `ConfigurationError` with every fault at once.
"""

from router.config.loading import demo, load, read
from router.config.model import (
    ApiToken,
    Config,
    Durability,
    Environment,
    Format,
    Forward,
    Level,
    Log,
    Server,
    Storage,
    Target,
    Vendor,
    Webhook,
)
from router.config.reader import ConfigurationError, Problem
from router.config.secret import SecretSource

__all__ = [
    "ApiToken",
    "Config",
    "ConfigurationError",
    "Durability",
    "Environment",
    "Format",
    "Forward",
    "Level",
    "Log",
    "Problem",
    "SecretSource",
    "Server",
    "Storage",
    "Target",
    "Vendor",
    "Webhook",
    "demo",
    "load",
    "read",
]
