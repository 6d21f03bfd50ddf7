"""Each kind of value on its own: what it takes, and that what it refuses is said with the way out."""

from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from router.config import values
from router.config.reader import Document, Node, Setting
from router.config.secret import SecretSource
from router.names import EnvironmentName
from router.units import MAX_DURATION, MAX_SIZE


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


def node(value: object, secrets: SecretSource | None = None) -> Node:
    return Document({"value": value}, secrets or SecretSource()).root.child("value")


def refused(setting: Setting[Any], value: object, secrets: SecretSource | None = None) -> str:
    of = node(value, secrets)
    assert of.attempt(setting) is None
    (problem,) = of.document.problems()
    return problem.message


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        (values.flag, True, True),
        (values.count(1, 3), 3, 3),
        (values.duration, "1h", 3600.0),
        (values.duration, 2, 2.0),
        (values.duration, 0.5, 0.5),
        (values.duration, "0", 0.0),
        (values.span, "1ms", 0.001),
        (values.age_or_none, "2s", 2.0),
        (values.age_or_none, 0, None),
        (values.size, "1KiB", 1024),
        (values.size, 0, 0),
        (values.room, 1, 1),
        (values.size_or_none, "0", None),
        (values.size_or_none, "1B", 1),
        (values.choice(Colour), "green", Colour.GREEN),
        (values.parsed(str.upper), "a", "A"),
        (values.several(Node.text, "word", "…"), ["b", "a"], ("b", "a")),
        (values.key_name, "my.key-1", "my.key-1"),
        (values.sha256, "aB" * 32, b"\xab" * 32),
        (values.folder, "data", Path("data")),
        (values.folder, "/data", Path("/data")),
        (values.project(frozenset({"a"})), "a", "a"),
        (values.environment(frozenset({EnvironmentName("a", "b")})), "a/b", EnvironmentName("a", "b")),
        (values.parsed(values.alias), "/a/b.c", "/a/b.c"),
        (values.client_side_id, "5f-a_b~c.d", "5f-a_b~c.d"),
        (values.statsig_key, "client-a", "client-a"),
        (values.secret, "any text at all: ä", "any text at all: ä"),
    ],
)
def test_a_good_value_is_read(setting: Setting[Any], value: object, expected: object) -> None:
    made = setting(node(value))

    assert made == expected
    assert type(made) is type(expected)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        (values.flag, 1, "must be true or false, not an integer"),
        (values.flag, "yes", "must be true or false, not a string"),
        (values.count(1, 3), 4, "must be from 1 to 3"),
        (values.count(1, 3), True, "must be an integer, not a boolean"),
        (values.count(1, 3), 1.0, "must be an integer, not a float"),
        (values.duration, True, 'must be a duration, as in "90s", or a number of seconds, not a boolean'),
        (values.duration, [], 'must be a duration, as in "90s", or a number of seconds, not an array'),
        (values.duration, -1, f"must be from 0 to {MAX_DURATION} seconds"),
        (values.duration, float("nan"), f"must be from 0 to {MAX_DURATION} seconds"),
        (values.duration, float("inf"), f"must be from 0 to {MAX_DURATION} seconds"),
        (values.duration, 10**400, f"must be from 0 to {MAX_DURATION} seconds"),
        (values.span, 0, 'is too short: write at least "1ms"'),
        (values.size, 1.5, 'must be a size, as in "10MiB", or a number of bytes, not a float'),
        (values.size, -1, f"must be from 0 to {MAX_SIZE} bytes"),
        (values.room, "0MiB", 'is too small: write at least "1B"'),
        (values.choice(Colour), "gren", "'gren' is none of red, green; did you mean \"green\"?"),
        (values.choice(Colour), 1, "must be a string, not an integer"),
        (values.several(Node.text, "word", '["a"]', least=1), [], 'is empty: write at least one word, as in ["a"]'),
        (values.several(Node.text, "word", '["a"]'), "a", 'must be an array, as in ["a"], not a string'),
        (values.key_name, "a b", "'a b' is no key: write letters, digits, dot, dash and underscore, at most 100"),
        (values.name, "a\nb", "must be at most 100 printable characters"),
        (values.sha256, "hunter2", "must be 64 hex digits, not 7 characters: `router token` makes one"),
        (values.sha256, "g" * 64, "must be 64 hex digits, not 64 characters: `router token` makes one"),
        (values.folder, "a\0", "has a NUL in it: write the path of a directory"),
        (values.folder, "", "is empty"),
        (
            values.environment(frozenset()),
            "a/b",
            "'a/b' is no environment of this configuration; write \"project/environment\", or only \"*\" for all",
        ),
        (
            values.project(frozenset({"shop"})),
            "shoop",
            "'shoop' is the project of no environment of this configuration; did you mean \"shop\"?",
        ),
        (
            values.parsed(values.alias),
            "a",
            "'a' is no path: write one as in \"/my/events\", without a slash at its end",
        ),
        (
            values.client_side_id,
            "a/b",
            "has a character that a path cannot hold: write letters, digits, dot, dash, underscore, tilde",
        ),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_with_the_way_out(setting: Setting[Any], value: object, message: str) -> None:
    assert message == refused(setting, value)


def test_the_second_of_two_equal_elements_is_at_fault() -> None:
    words = node(["a", "b", "a"])

    assert values.several(Node.text, "word", "…")(words) == ("a", "b")
    assert [str(fault) for fault in words.document.problems()] == ["value[2]: the same word twice"]


FORMS = 'must be a string, { file = "PATH" } or { env = "NAME" }'


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (7, f"{FORMS}, not an integer"),
        (["hunter2"], f"{FORMS}, not an array"),
        ({}, FORMS),
        ({"hunter2": "x"}, FORMS),
        ({"file": "x", "hunter2": "x"}, FORMS),
        ({"file": "x", "env": "X"}, "has two sources, file and env: keep one"),
        ({"file": 1}, "must be a string, not an integer"),
        ({"env": ""}, "is empty"),
        ({"env": "EMPTY"}, "is empty"),
        ({"env": "NEWLINE"}, "is empty"),
        ({"env": "SHORT"}, "is shorter than 4 characters: choose a longer secret"),
        ({"env": "BYTES"}, "is not UTF-8 text"),
        ("", "is empty"),
        ("abc", "is shorter than 4 characters: choose a longer secret"),
    ],
)
def test_a_bad_secret_is_refused_and_not_shown(value: object, message: str) -> None:
    environ = {"EMPTY": "", "NEWLINE": "\n", "SHORT": "abc", "BYTES": "hunter2\udcff"}

    assert message == refused(values.secret, value, SecretSource(environ))


def test_a_secret_comes_from_its_place_a_file_or_the_environment(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sdk-file\n")
    source = SecretSource({"KEY": "sdk-env"}, tmp_path)

    made = [values.secret(node(value, source)) for value in ("sdk-text", {"file": "key"}, {"env": "KEY"})]

    assert made == ["sdk-text", "sdk-file", "sdk-env"]
    assert values.secret_file(node("key", source)) == "sdk-file"


def test_an_empty_secret_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\n")

    assert refused(values.secret_file, "key", SecretSource({}, tmp_path)) == "is empty"


@pytest.mark.parametrize("text", ["sdk hunter2", "sdk-hunter2…", "sdk-hunter2\r"])
@pytest.mark.parametrize("setting", [values.sdk_key, values.statsig_key, values.sent(values.secret)])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(setting: Setting[str], text: str) -> None:
    message = refused(setting, text)

    assert message == "has a space, a control character or one outside ASCII: no client could send it"


@pytest.mark.parametrize("text", ["sdk-hunter2", "mob-hunter2", "api-hunter2", "secret-hunter2"])
def test_a_secret_among_the_public_ids_is_refused_and_not_shown(text: str) -> None:
    message = refused(values.client_side_id, text)

    assert message == "looks like a secret, and client-side IDs are public: move it to the list of its kind"


def test_a_key_in_two_lists_is_refused_whatever_the_lists_are() -> None:
    keys = Document({"a": ["same-key", "same-key"], "b": ["same-key"]}, SecretSource()).root
    values.sdk_key(keys.child("a").child(0))

    for list_, index, setting in (
        ("a", 1, values.sdk_key),
        ("b", 0, values.client_side_id),
        ("b", 0, values.statsig_key),
    ):
        with pytest.raises(ValueError, match=r"^the same key as a\[0\]: a key belongs to exactly one environment$"):
            setting(keys.child(list_).child(index))


def test_a_file_that_must_be_readable_is_looked_for_where_secrets_are(tmp_path: Path) -> None:
    (tmp_path / "tls.crt").write_text("x")
    source = SecretSource({"CREDENTIALS_DIRECTORY": str(tmp_path)}, Path("/etc/router"))

    assert values.readable(node("tls.crt", source)) == tmp_path / "tls.crt"
    assert refused(values.readable, "tls.key", source) == (
        "cannot read the file /etc/router/tls.key: no such file or directory"
    )
