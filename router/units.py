"""Durations and sizes the way people write them: `7d`, `1h30m`, `250ms`; `10MiB`, `1.5GB`, `4096`."""

import re
from decimal import Decimal
from typing import Final

MAX_DURATION: Final = 100 * 365 * 86_400  # seconds: a century, far inside what a float counts exactly in milliseconds
MAX_SIZE: Final = 2**63 - 1  # bytes: what a file offset holds

_NUMBER: Final = r"[0-9]{1,20}(?:\.[0-9]{1,9})?"
_SECONDS: Final = {
    "w": Decimal(604_800),
    "d": Decimal(86_400),
    "h": Decimal(3_600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("0.001"),
}
_DURATION: Final = re.compile(rf"({_NUMBER})(ms|[wdhms])?")
_COMPOUND: Final = re.compile("".join(rf"(?:([0-9]{{1,20}}){unit}(?![a-z]))?" for unit in _SECONDS))

_BYTES: Final = {
    "TiB": 2**40,
    "GiB": 2**30,
    "MiB": 2**20,
    "KiB": 2**10,
    "TB": 10**12,
    "GB": 10**9,
    "MB": 10**6,
    "kB": 10**3,
    "B": 1,
}
_SIZE: Final = re.compile(rf"({_NUMBER}) ?([A-Za-z]{{1,3}})?")
_BYTES_BY_LOWER_CASE: Final = {unit.lower(): factor for unit, factor in _BYTES.items()}


def duration(text: str) -> float:
    """Seconds that `text` spells: a number with `ms`, `s`, `m`, `h`, `d` or `w`, or several, the largest first.

    A number alone is seconds.

    Raises:
        ValueError: `text` is no duration, or one longer than a century.
    """
    single = _DURATION.fullmatch(text)
    if single is not None:
        total = Decimal(single[1]) * _SECONDS[single[2] or "s"]
    else:
        compound = _COMPOUND.fullmatch(text)
        if compound is None or not text:
            raise ValueError(f'{shown(text)} is no duration: write a number and a unit, as in "90s" or "1h30m"')
        parts = zip(compound.groups(default="0"), _SECONDS.values(), strict=True)
        total = sum((Decimal(number) * factor for number, factor in parts), Decimal(0))
    if total > MAX_DURATION:
        raise ValueError(f"{shown(text)} is longer than a century: write a shorter duration")
    return float(total)


def size(text: str) -> int:
    """Bytes that `text` spells: a number with `B`, `KiB`, `MiB`, `GiB`, `TiB` (1024) or `kB`, `MB`, `GB`, `TB` (1000).

    A number alone is bytes; a fraction of a byte is cut off; letter case does not matter.

    Raises:
        ValueError: `text` is no size, or one above 2**63 - 1.
    """
    match = _SIZE.fullmatch(text)
    factor = None if match is None else _BYTES_BY_LOWER_CASE.get((match[2] or "B").lower())
    if match is None or factor is None:
        raise ValueError(f'{shown(text)} is no size: write bytes, or a number and a unit, as in "10MiB" or "10MB"')
    total = int(Decimal(match[1]) * factor)
    if total > MAX_SIZE:
        raise ValueError(f"{shown(text)} is more than {MAX_SIZE} bytes: write a smaller size")
    return total


def duration_text(seconds: float) -> str:
    """The shortest spelling with one unit that `duration` reads back as exactly `seconds`, which is not negative."""
    exact = Decimal(repr(seconds))
    for unit, factor in _SECONDS.items():
        if exact >= factor and exact % factor == 0:
            return f"{int(exact / factor)}{unit}"
    return f"{exact.normalize():f}s"


def size_text(count: int) -> str:
    """The shortest spelling with a unit that `size` reads back as exactly `count` bytes, which is not negative."""
    for unit, factor in _BYTES.items():
        if count >= factor and count % factor == 0:
            return f"{count // factor}{unit}"
    return f"{count}B"


def shown(text: str) -> str:
    """`text` in quotes for a message: at most 40 characters of it, control characters escaped."""
    return repr(text if len(text) <= 40 else f"{text[:39]}…")
