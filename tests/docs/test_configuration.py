"""The documented settings, those of the template and those of the model are the same, with the same defaults."""

import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from router.config import Config, ConfigurationError, SecretSource, load
from router.config.loading import TABLES
from router.config.model import RELOADED
from tests.pairs import write_pair

ROOT: Final = Path(__file__).parents[2]
DOCUMENT: Final = (ROOT / "docs" / "configuration.md").read_text()
TEMPLATE: Final = (ROOT / "conf" / "router.toml").read_text()
SETTINGS: Final = [(table, key) for table, keys in TABLES.items() for key in keys]

# The least that each table needs, and what a configuration holds for it.
MINIMAL: Final = {
    "server": "[server]\n",
    "storage": "[storage]\n",
    "log": "[log]\n",
    "environment": '[[environment]]\nproject = "a"\nkey = "b"\n',
    "token": '[[token]]\nname = "a"\ntoken = "api-a"\nscopes = ["admin"]\n',
}
NO_DEFAULT: Final = {
    *(("server", key) for key in ("tls_cert", "tls_key")),
    *(("environment", key) for key in ("project", "key", "cors_origins", "forward")),
    *(("environment.forward", key) for key in TABLES["environment.forward"]),
    *(("token", key) for key in ("name", "sha256", "token", "file", "scopes")),
    *(("webhook", key) for key in TABLES["webhook"]),
}


def rows(table: str) -> dict[str, list[str]]:
    """The cells of the documented settings of a table, by key."""
    heading = rf"##+ `\[+{re.escape(table)}\]+`\n(.*?)(?=\n##|\Z)"
    section = re.search(heading, DOCUMENT, re.DOTALL)
    assert section is not None, f"docs/configuration.md has no section {table}"
    lines = re.findall(r"^\| `(.+?)` \| (.+) \|$", section[1], re.MULTILINE)
    return {key: [cell.strip() for cell in rest.split(" | ")] for key, rest in lines}


def uncommented() -> str:
    """The template with all of its settings in force."""
    return re.sub(r"^#(?=\[|[a-z0-9_]+ = )", "", TEMPLATE, flags=re.MULTILINE)


def value(config: Config, table: str, key: str) -> object:
    if table == "environment":
        return getattr(config.environments[0], key)
    if table == "token":
        return getattr(config.tokens[0].rights, key)
    return getattr(getattr(config, table), key)


def check_default(table: str, key: str, written: str) -> None:
    """Writing `written` changes nothing."""
    said = load(f"{MINIMAL[table]}{key} = {written}", source="said", secrets=SecretSource())
    unsaid = load(MINIMAL[table], source="unsaid", secrets=SecretSource())

    assert value(unsaid, table, key) == value(said, table, key)


def toml(shown: object) -> str:
    if isinstance(shown, bool):
        return str(shown).lower()
    return repr(shown)  # strings and lists of them: what the template's defaults are


@pytest.mark.parametrize("table", TABLES)
def test_the_documented_keys_are_those_there_are(table: str) -> None:
    assert list(TABLES[table]) == list(rows(table))


@pytest.mark.parametrize(("table", "key"), SETTINGS)
def test_the_documented_default_is_the_one_in_force(table: str, key: str) -> None:
    _, default, _, meaning = rows(table)[key]

    assert len(meaning) > 5
    if (table, key) in NO_DEFAULT:
        assert default in ("required", "none")
    else:
        check_default(table, key, default.removeprefix("`").removesuffix("`"))


@pytest.mark.parametrize(("table", "key"), SETTINGS)
def test_the_documented_effect_of_a_reload_is_the_models(table: str, key: str) -> None:
    """Blocks that may be repeated are reloaded wholly."""
    repeated = table not in ("server", "storage", "log")

    assert rows(table)[key][2] == ("yes" if repeated or f"{table}.{key}" in RELOADED else "no")


def test_what_is_documented_as_required_is_what_is_missed() -> None:
    """In blocks without any key."""
    with pytest.raises(ConfigurationError) as caught:
        load("[[environment]]\n[[environment.forward]]\n[[token]]\n[[webhook]]", source="empty", secrets=SecretSource())
    missed = {re.sub(r"\[0\]", "", fault.place) for fault in caught.value.faults if fault.message == "is missing"}

    assert missed == {f"{table}.{key}" for table, key in SETTINGS if rows(table)[key][1] == "required"}


@pytest.mark.parametrize(
    ("table", "key"), [("server", "tls_cert"), ("server", "tls_key"), ("environment", "cors_origins")]
)
def test_what_is_documented_as_none_is_none(table: str, key: str) -> None:
    assert rows(table)[key][1] == "none"
    assert value(load(MINIMAL[table], source="minimal", secrets=SecretSource()), table, key) is None


def test_the_template_as_it_is_shipped_is_the_defaults() -> None:
    assert load(TEMPLATE, source="conf/router.toml", secrets=SecretSource()) == Config()


@pytest.mark.parametrize("table", TABLES)
def test_the_template_shows_every_key(table: str) -> None:
    document: Any = tomllib.loads(uncommented())
    for step in table.split("."):
        document = document[step]
        if isinstance(document, list) and step != table.split(".")[-1]:
            document = document[0]
    blocks = document if isinstance(document, list) else [document]

    assert set(TABLES[table]) == {key for block in blocks for key in block}


@pytest.mark.parametrize(("table", "key"), [setting for setting in SETTINGS if setting not in NO_DEFAULT])
def test_the_template_shows_the_default(table: str, key: str) -> None:
    blocks: Any = tomllib.loads(uncommented())[table]
    block = blocks[0] if isinstance(blocks, list) else blocks

    check_default(table, key, toml(block[key]))


def test_the_template_says_where_there_is_no_default() -> None:
    """So that no example is taken for one: at the first line of each key in each table."""
    table = ""
    seen: set[tuple[str, str]] = set()
    for line in TEMPLATE.splitlines():
        if match := re.match(r"#\[+([a-z.]+)\]+$", line):
            table = match[1]
        elif (match := re.match(r"#([a-z0-9_]+) = ", line)) and (table, match[1]) not in seen:
            seen.add((table, match[1]))
            assert ("# no default" in line) == ((table, match[1]) in NO_DEFAULT), line


def test_the_template_in_force_as_a_whole_is_good(tmp_path: Path) -> None:
    """With the files that it names."""
    text = uncommented()
    for name in re.findall(r'(?:file|tls_cert|tls_key) = "([^"]+)"', text):
        (tmp_path / name).write_text(f"contents of {name}\n".replace(" ", "-"))
    write_pair(tmp_path / "tls.crt", tmp_path / "tls.key")
    source = SecretSource({"IMPORT_TOKEN": "api-import"}, tmp_path)

    config = load(text, source="conf/router.toml", secrets=source)

    assert len(config.tokens) == 3
    assert len(config.webhooks) == 2
    assert len(config.environments[0].forwards) == 2
