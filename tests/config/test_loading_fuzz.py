"""Whatever is written is a configuration or is refused with places: no other exception."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from router.config import Config, ConfigurationError, SecretSource, load
from router.config.loading import ROOT, TABLES

KEYS = sorted({key for table in TABLES.values() for key in table})
WORDS = [
    "", "*", "off", "7d", "10MiB", "0", "127.0.0.1:0", "unix:/x", "fsync", "debug", "default", "production", "admin",
    "default/production", "sdk-aaaa", "client-aaaa", "https://hub.example", "router", "generic", "/a", "a\0b", "\n",
]  # fmt: skip
scalars = st.one_of(
    st.sampled_from(WORDS),
    st.text(max_size=12),
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, 1, 60]),
    st.booleans(),
    st.floats(),
    st.dates(),
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from([*KEYS, "file", "env"]) | st.text(max_size=5), inner, max_size=3),
    ),
    max_leaves=6,
)


@st.composite
def tables(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """A table with keys that it may have, and anything as their values."""
    keys = draw(st.lists(st.sampled_from(list(TABLES[name])), unique=True, max_size=5))
    table = {key: draw(anything) for key in keys}
    if name == "environment" and draw(st.booleans()):
        table |= {"project": "default", "key": draw(st.sampled_from(["production", "test"]))}
        table["forward"] = draw(st.lists(tables("environment.forward"), max_size=2))
    return table


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from([name for name in TABLES if "." not in name]), unique=True, max_size=4))
    return {name: draw(tables(name) | st.lists(tables(name), max_size=3) | anything) for name in names}


def toml(value: object) -> str:
    """A value in TOML, all on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(character):08x}" for character in value) + '"'
    return str(value)


@settings(deadline=None)
@given(documents() | st.dictionaries(st.text(max_size=8) | st.sampled_from(list(ROOT)), anything, max_size=3))
def test_any_structure_is_a_configuration_or_refused_with_places(document: dict[str, Any]) -> None:
    """No other exception, whatever is written."""
    text = "\n".join(f"{toml(key)} = {toml(value)}" for key, value in document.items())
    try:
        config = load(text, source="test.toml", secrets=SecretSource({"X": "sdk-from-environment"}))
    except ConfigurationError as error:
        assert error.faults  # noqa: PT017 - one of two good outcomes
        assert all(problem.place and problem.place != "test.toml" for problem in error.faults)  # noqa: PT017 - as above
    else:
        assert isinstance(config, Config)
        config.keyring()
        assert [secret for secret in config.secrets() if len(secret) > 4 and repr(secret) in repr(config)] == []


@given(st.text(max_size=60))
def test_any_text_is_a_configuration_or_refused(text: str) -> None:
    try:
        config = load(text, source="test.toml", secrets=SecretSource())
    except ConfigurationError as error:
        assert error.faults  # noqa: PT017 - one of two good outcomes
    else:
        assert config == Config()
