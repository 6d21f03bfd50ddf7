"""How each kind of value in a configuration is read: one function a kind, from a node to the checked value.

All raise ValueError with a message that says the way out; none shows a value that may be a secret.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

from router import units
from router.config.model import is_public
from router.config.reader import Node, Setting, did_you_mean, kind, spell
from router.config.secret import reason
from router.names import EnvironmentName, is_key
from router.units import shown

E = TypeVar("E", bound=StrEnum)

MIN_SECRET: Final = 4  # characters: stored events are searched for it, and it must not be part of ordinary JSON
_HEADER_SAFE: Final = re.compile(r"[\x21-\x7e]+")
_PATH_SAFE: Final = re.compile(r"[A-Za-z0-9._~-]+")
_ALIAS: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
_WINDOW: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")
_SHA256: Final = re.compile(r"[0-9A-Fa-f]{64}")
_FORMS: Final = 'a string, { file = "PATH" } or { env = "NAME" }'
_SECRET_PREFIXES: Final = ("sdk-", "mob-", "api-", "secret-", "console-", "whsec-")


def flag(node: Node) -> bool:
    """True or false."""
    if not isinstance(node.value, bool):
        raise ValueError(f"must be true or false, not {kind(node.value)}")
    return node.value


def count(low: int, high: int) -> Setting[int]:
    """An integer within two bounds, both included."""

    def read(node: Node) -> int:
        value = node.value
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"must be an integer, not {kind(value)}")
        if not low <= value <= high:
            raise ValueError(f"must be from {low} to {high}")
        return value

    return read


def duration(node: Node) -> float:
    """Seconds, from a string with a unit or from a number; 0 included."""
    value = node.value
    if isinstance(value, str):
        return units.duration(value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f'must be a duration, as in "90s", or a number of seconds, not {kind(value)}')
    if not 0 <= value <= units.MAX_DURATION:  # so is nan
        raise ValueError(f"must be from 0 to {units.MAX_DURATION} seconds")
    return float(value)


def span(node: Node) -> float:
    """A duration of at least a millisecond."""
    seconds = duration(node)
    if seconds < 0.001:
        raise ValueError('is too short: write at least "1ms"')
    return seconds


def size(node: Node) -> int:
    """Bytes, from a string with a unit or from an integer; 0 included."""
    value = node.value
    if isinstance(value, str):
        return units.size(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f'must be a size, as in "10MiB", or a number of bytes, not {kind(value)}')
    if not 0 <= value <= units.MAX_SIZE:
        raise ValueError(f"must be from 0 to {units.MAX_SIZE} bytes")
    return value


def room(node: Node) -> int:
    """A size of at least a byte."""
    counted = size(node)
    if not counted:
        raise ValueError('is too small: write at least "1B"')
    return counted


def age_or_none(node: Node) -> float | None:
    """A duration; 0 is None, without a limit."""
    return duration(node) or None


def size_or_none(node: Node) -> int | None:
    """A size; 0 is None, without a limit."""
    return size(node) or None


def choice(kinds: type[E]) -> Setting[E]:
    """A member of an enumeration."""

    def read(node: Node) -> E:
        text = node.text()
        known = [item.value for item in kinds]
        if text not in known:
            raise ValueError(f"{shown(text)} is none of {', '.join(known)}{did_you_mean(text, known)}")
        return kinds(text)

    return read


def parsed(parse: Callable[[str], str]) -> Setting[str]:
    """What `parse` makes of a string."""
    return lambda node: parse(node.text())


def several(setting: Setting[str], what: str, example: str, *, least: int = 0) -> Setting[tuple[str, ...]]:
    """An array of strings, each once. what: the word for one of them."""

    def read(node: Node) -> tuple[str, ...]:
        made: list[str] = []

        def once(child: Node) -> str:
            text = setting(child)
            if text in made:
                raise ValueError(f"the same {what} twice")
            made.append(text)
            return text

        found = node.each(once, example)
        if len(node.value) < least:
            raise ValueError(f"is empty: write at least one {what}, as in {example}")
        return found

    return read


def alias(text: str) -> str:
    """The path of an endpoint."""
    if not _ALIAS.fullmatch(text):
        raise ValueError(f'{shown(text)} is no path: write one as in "/my/events", without a slash at its end')
    return text


def window(text: str) -> tuple[float, float]:
    """A time of every day, as seconds from midnight; the end may be past the next midnight."""
    match = _WINDOW.fullmatch(text)
    if match is None:
        raise ValueError(f'{shown(text)} is no time of the day: write it as in "22:00-06:30", in UTC')
    hours = [int(part) for part in match.groups()]
    begin, end = hours[0] * 3600.0 + hours[1] * 60.0, hours[2] * 3600.0 + hours[3] * 60.0
    if begin == end:
        raise ValueError(f"{shown(text)} is empty: leave it out to send at any time")
    return begin, end


def name(node: Node) -> str:
    """A word of the operator's for something, unlike any other of its kind in the document."""
    text = node.text()
    if len(text) > 100 or not text.isprintable():
        raise ValueError("must be at most 100 printable characters")
    node.unique("name", text)
    return text


def key_name(node: Node) -> str:
    """A project or environment key."""
    text = node.text()
    if not is_key(text):
        raise ValueError(f"{shown(text)} is no key: write letters, digits, dot, dash and underscore, at most 100")
    return text


def environment(known: frozenset[EnvironmentName]) -> Setting[EnvironmentName]:
    """One of the environments of this configuration, as `project/environment`."""

    def read(node: Node) -> EnvironmentName:
        text = node.text()
        names = {str(item): item for item in known}
        if text not in names:
            hint = did_you_mean(text, names) or '; write "project/environment", or only "*" for all'
            raise ValueError(f"{shown(text)} is no environment of this configuration{hint}")
        return names[text]

    return read


def project(known: frozenset[str]) -> Setting[str]:
    """The project of one of the environments of this configuration."""

    def read(node: Node) -> str:
        text = node.text()
        if text not in known:
            hint = did_you_mean(text, known) or "; write the project of one"
            raise ValueError(f"{shown(text)} is the project of no environment of this configuration{hint}")
        return text

    return read


def folder(node: Node) -> Path:
    """A directory, relative to that of the configuration file."""
    text = node.text()
    if "\0" in text:
        raise ValueError("has a NUL in it: write the path of a directory")
    return node.document.secrets.directory / text


def readable(node: Node) -> Path:
    """A file that can be read now, looked for where secrets are."""
    located = node.document.secrets.locate(node.text())
    try:
        with located.open("rb"):
            return located
    except OSError as error:
        raise ValueError(f"cannot read the file {located}: {reason(error)}") from None


def sha256(node: Node) -> bytes:
    """A SHA-256 in hex. Not shown: it may be the token itself, pasted in the wrong place."""
    text = node.text()
    if not _SHA256.fullmatch(text):
        raise ValueError(f"must be 64 hex digits, not {len(text)} characters: `router token` makes one")
    return bytes.fromhex(text)


def resolved(node: Node) -> str:
    """A text that is written in place, in a file or in the environment."""
    value, source = node.value, node.document.secrets
    if isinstance(value, str):
        text = value
    elif not isinstance(value, dict):
        raise ValueError(f"must be {_FORMS}, not {kind(value)}")
    elif {"file", "env"} <= value.keys():
        raise ValueError("has two sources, file and env: keep one")
    elif len(value) != 1 or not value.keys() <= {"file", "env"}:
        raise ValueError(f"must be {_FORMS}")  # without its keys: one may be the secret itself
    elif "file" in value:
        text = source.file(node.child("file").text())
    else:
        text = source.variable(node.child("env").text())
    if not text:
        raise ValueError("is empty")
    return text


def secret(node: Node) -> str:
    """A secret of any characters."""
    return _checked(node, resolved(node))


def secret_file(node: Node) -> str:
    """The secret in the file that is named."""
    return _checked(node, node.document.secrets.file(node.text()))


def _checked(node: Node, text: str) -> str:
    node.document.hide(text)
    if not text:
        raise ValueError("is empty")
    if len(text) < MIN_SECRET:
        raise ValueError(f"is shorter than {MIN_SECRET} characters: choose a longer secret")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("is not UTF-8 text")
    return text


def sent(setting: Setting[str]) -> Setting[str]:
    """A secret that clients send in a header."""

    def read(node: Node) -> str:
        text = setting(node)
        if not _HEADER_SAFE.fullmatch(text):
            raise ValueError("has a space, a control character or one outside ASCII: no client could send it")
        return text

    return read


def sdk_key(node: Node) -> str:
    """A key that no other environment has, nor this one twice."""
    return _own(node, sent(secret)(node))


def statsig_key(node: Node) -> str:
    """The same for Statsig, whose client keys are no secrets."""
    text = resolved(node)
    if is_public(text):
        return _own(node, sent(resolved)(node))
    return _own(node, sent(secret)(node))


def client_side_id(node: Node) -> str:
    """The same for LaunchDarkly's client-side IDs: public, and part of paths."""
    text = resolved(node)
    if text.startswith(_SECRET_PREFIXES):
        node.document.hide(text)
        raise ValueError("looks like a secret, and client-side IDs are public: move it to the list of its kind")
    if not _PATH_SAFE.fullmatch(text):
        raise ValueError("has a character that a path cannot hold: write letters, digits, dot, dash, underscore, tilde")
    return _own(node, text)


def _own(node: Node, text: str) -> str:
    first = node.document.claim("key", text, node.place)
    if first is not None:
        raise ValueError(f"the same key as {spell(first)}: a key belongs to exactly one environment")
    return text
