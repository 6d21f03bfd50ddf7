"""Reading a document value by value while gathering everything that is wrong with it, each fault with its place."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, time
from difflib import get_close_matches
from typing import Any, Final, TypeVar

from router.config.files import Stamps
from router.config.secret import SecretSource
from router.credentials import fingerprint

T = TypeVar("T")
Place = tuple[str | int, ...]
_BARE: Final = re.compile(r"[A-Za-z0-9_-]{1,60}")
MIN_HIDDEN: Final = 4  # characters: shorter than any secret that is accepted, and part of too many words


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a configuration. place: as in `environment[1].sdk_keys[0]`; message: what is wrong, the way out."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class ConfigurationError(Exception):
    """A configuration that cannot be used. faults: all of its faults, in the order of the file; files: that it was read
    from."""

    def __init__(self, faults: Iterable[Problem], files: Stamps | None = None) -> None:
        self.faults = tuple(faults)
        self.files = files or {}
        super().__init__("\n".join(str(problem) for problem in self.faults))


class Document:
    """A parsed document and what has been found out about it so far."""

    def __init__(self, root: dict[str, Any], secrets: SecretSource) -> None:
        self.root = Node(self, (), root)
        self.secrets = secrets
        self._faults: list[tuple[Place, str]] = []
        self._claims: dict[tuple[str, object], Place] = {}
        self._hidden: set[str] = set()

    def fault(self, place: Place, message: str) -> None:
        self._faults.append((place, message))

    def claim(self, what: str, identity: object, place: Place) -> Place | None:
        """Note that the thing `what` of this identity is at `place`; where another one is already, that one's place."""
        first = self._claims.setdefault((what, identity), place)
        return None if first == place else first

    def hide(self, secret: str) -> None:
        """Keep this text out of every message."""
        if len(secret) >= MIN_HIDDEN:
            self._hidden.add(secret)

    def problems(self) -> tuple[Problem, ...]:
        """Everything found, in the order of the document; what a table lacks comes after what it has."""
        ordered = sorted(self._faults, key=lambda fault: self._order(fault[0]))
        return tuple(Problem(self._clean(spell(place)), self._clean(message)) for place, message in ordered)

    def _order(self, place: Place) -> tuple[int, ...]:
        order: list[int] = []
        value: Any = self.root.value
        for step in place:
            if isinstance(step, int):
                order.append(step)
                value = value[step]
            elif step in value:
                order.append(list(value).index(step))
                value = value[step]
            else:
                order.append(len(value))
                break
        return tuple(order)

    def _clean(self, text: str) -> str:
        for secret in sorted(self._hidden, key=len, reverse=True):
            text = text.replace(secret, f"[redacted:{fingerprint(secret)}]")
        return text


@dataclass(frozen=True, slots=True, repr=False)
class Node:
    """One value of a document with its place. Without a repr: the value may be a secret."""

    document: Document
    place: Place
    value: Any

    def child(self, step: str | int) -> "Node":
        return Node(self.document, (*self.place, step), self.value[step])

    def fault(self, message: str, *steps: str | int) -> None:
        """Note that this value, or the one `steps` further in, is at fault."""
        self.document.fault((*self.place, *steps), message)

    def attempt(self, setting: "Setting[T]") -> T | None:
        """What `setting` makes of the value; None, and a fault noted, where it raises ValueError."""
        try:
            return setting(self)
        except ValueError as error:
            self.fault(str(error))
            return None

    def table(self, settings: "Mapping[str, Setting[Any]]", required: Iterable[str] = ()) -> dict[str, Any]:
        """The values of a table's keys; those at fault are left out.

        Raises:
            ValueError: it is no table.
        """
        if not isinstance(self.value, dict):
            raise ValueError(f"must be a table, not {kind(self.value)}")
        found: dict[str, Any] = {}
        for key in self.value:
            setting = settings.get(key)
            if setting is None:
                self.fault(f"unknown key{did_you_mean(key, settings)}", key)
                continue
            try:
                found[key] = setting(self.child(key))
            except ValueError as error:
                self.fault(str(error), key)
        for key in required:
            if key not in self.value:
                self.fault("is missing", key)
        return found

    def each(self, setting: "Setting[T]", example: str = '["…"]') -> tuple[T, ...]:
        """What `setting` makes of every element of an array; those at fault are left out.

        Raises:
            ValueError: it is no array.
        """
        if not isinstance(self.value, list):
            raise ValueError(f"must be an array, as in {example}, not {kind(self.value)}")
        made: list[T] = []
        for index in range(len(self.value)):
            child = self.child(index)
            try:
                made.append(setting(child))
            except ValueError as error:
                child.fault(str(error))
        return tuple(made)

    def text(self) -> str:
        """The string that it is.

        Raises:
            ValueError: it is something else, or empty.
        """
        if not isinstance(self.value, str):
            raise ValueError(f"must be a string, not {kind(self.value)}")
        if not self.value:
            raise ValueError("is empty")
        return self.value

    def unique(self, what: str, identity: object) -> None:
        """
        Raises:
            ValueError: the same `what` is elsewhere in the document.
        """
        first = self.document.claim(what, identity, self.place)
        if first is not None:
            raise ValueError(f"the same {what} as {spell(first)}")


Setting = Callable[[Node], T]


def spell(place: Place) -> str:
    """`environment[1].sdk_keys[0]`; a key that TOML would want quoted is, and a long one is cut."""
    spelled = ""
    for step in place:
        if isinstance(step, int):
            spelled += f"[{step}]"
        else:
            key = step if _BARE.fullmatch(step) else json.dumps(step[:60], ensure_ascii=False)
            spelled += f".{key}" if spelled else key
    return spelled


def kind(value: object) -> str:
    """What TOML calls the type of a value."""
    if isinstance(value, bool):
        return "a boolean"
    names: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (str, "a string"),
        (int, "an integer"),
        (float, "a float"),
        (list, "an array"),
        (dict, "a table"),
        ((date, time), "a date or time"),
    )
    return next((name for kinds, name in names if isinstance(value, kinds)), "something else")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?` where one of `known` is near, else nothing."""
    near = get_close_matches(word[:100], list(known), n=1)
    return f'; did you mean "{near[0]}"?' if near else ""
