"""Names that cross the surface: environments and cursors."""

import re
import secrets
from dataclasses import dataclass
from typing import Final

_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_CURSOR: Final = re.compile(r"([a-z2-7]{8})-(0|[1-9][0-9]{0,19})")
_EPOCH_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
MAX_OFFSET: Final = 2**64 - 1


def is_key(text: str) -> bool:
    """Whether `text` can be a project or environment key: LaunchDarkly's alphabet, at most 100 characters."""
    return _KEY.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, order=True)
class EnvironmentName:
    """Project and environment key; written `project/environment`.

    Raises:
        ValueError: a key is empty, longer than 100 characters, or has a character outside `[A-Za-z0-9._-]`.
    """

    project: str
    key: str

    def __post_init__(self) -> None:
        for part in (self.project, self.key):
            if not is_key(part):
                raise ValueError(
                    f"{part!r} is no project or environment key: letters, digits, dot, dash and underscore, at most 100"
                )

    def __str__(self) -> str:
        return f"{self.project}/{self.key}"

    @classmethod
    def parse(cls, text: str) -> "EnvironmentName":
        project, slash, key = text.partition("/")
        if not slash:
            raise ValueError(f"{text!r} names no environment: write PROJECT/ENVIRONMENT")
        return cls(project, key)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in one environment's log: just after the event at `offset`.

    Opaque outside; `epoch` is of one life of one log, so a cursor of another environment, or from before a
    restore, is told from a good one.
    """

    epoch: str
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """The cursor that `text` spells.

        Raises:
            ValueError: `text` was not made by this router.
        """
        match = _CURSOR.fullmatch(text)
        if match is None or (offset := int(match[2])) > MAX_OFFSET:
            raise ValueError(f"{text[:40]!r} is no cursor: use the id of an event of this stream")
        return cls(match[1], offset)


def new_epoch() -> str:
    """A fresh epoch: 40 random bits, so that two logs never share one in practice."""
    return "".join(secrets.choice(_EPOCH_ALPHABET) for _ in range(8))
