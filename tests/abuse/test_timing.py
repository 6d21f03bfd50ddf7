"""Timing of key comparison: how long a look-up takes says nothing about how much of a guess is right.

Keys and tokens are never compared at all: their SHA-256 is looked up. Signatures are compared in constant time.
"""

import ast
import gc
import hmac
import re
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

import router
from router.credentials import CredentialKind, Keyring, Scope, Token, digest
from router.dialects.announcement import signed
from router.errors import Rejected
from router.http import access
from router.names import EnvironmentName

PRODUCTION = EnvironmentName("default", "production")
SERVER = frozenset({CredentialKind.SDK_KEY})
LONG = 1024 * 1024
"""Characters of the keys, thousands of times what vendors use, so that what a comparison would tell is far above noise:
one that gives up at the first difference takes over 10,000 ns for all of them, and 50 for none."""
REAL = "sdk-" + "k" * (LONG - 4)
NEAR = REAL[:-1] + "x"
"""All right but the last character."""
FAR = "x" * LONG
BOUND = 3000.0  # ns
ROUNDS = 151
CALLS = 3  # in a sample


def sample(call: Callable[[], object]) -> float:
    begun = time.perf_counter_ns()
    for _ in range(CALLS):
        call()
    return (time.perf_counter_ns() - begun) / CALLS


def difference(one: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    """Of the medians of many samples, taken in turns so that whatever else goes on strikes both; and how far apart two
    medians of the very same call are. In nanoseconds a call."""
    ones, again, others = [], [], []
    gc.disable()
    try:
        for _ in range(ROUNDS):
            ones.append(sample(one))
            others.append(sample(other))
            again.append(sample(one))
    finally:
        gc.enable()
    middle = statistics.median
    return abs(middle(ones) - middle(others)), abs(middle(ones) - middle(again))


def alike(one: Callable[[], object], other: Callable[[], object]) -> bool:
    """Whether two calls take the same time, to a bound and what the machine's noise is at the time."""
    found, noise = difference(one, other)
    return found <= BOUND + 3 * noise


@pytest.fixture(scope="module")
def keyring() -> Keyring:
    rights = Token("reader", frozenset({Scope.STREAM}), None)
    return Keyring([(digest(REAL), CredentialKind.SDK_KEY, PRODUCTION)], [(digest(REAL), rights)])


def naive(guess: str) -> bool:
    """What must never be done."""
    return guess == REAL


def test_the_measurement_tells_a_comparison_that_gives_up_early() -> None:
    assert not alike(partial(naive, NEAR), partial(naive, FAR))


def test_a_key_that_is_almost_right_takes_as_long_as_one_that_is_all_wrong(keyring: Keyring) -> None:
    assert keyring.environment(REAL, SERVER) == PRODUCTION
    assert keyring.environment(NEAR, SERVER) is None
    assert alike(partial(keyring.environment, NEAR, SERVER), partial(keyring.environment, FAR, SERVER))


def test_so_does_a_token(keyring: Keyring) -> None:
    assert keyring.token(NEAR) is None
    assert alike(partial(keyring.token, NEAR), partial(keyring.token, FAR))


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of a signature is 32 bytes: no clock tells anything of them, so that they are is what counts."""
    body = b"{}"
    real = hmac.new(b"whsec", body, "sha256").hexdigest()
    near = real[:-1] + ("0" if real[-1] != "0" else "1")
    compared = []

    def compare(mine: bytes, its: bytes) -> bool:
        compared.append((len(mine), len(its)))
        return mine == its

    monkeypatch.setattr(hmac, "compare_digest", compare)

    assert signed("whsec", body, real)
    assert not signed("whsec", body, near)
    assert compared == [(32, 32), (32, 32)]


class Untouchable(str):
    """A secret that fails whoever compares it, orders it, or looks it up by itself."""

    __slots__ = ()

    def _refuse(self, *_: object) -> NoReturn:
        raise AssertionError("a secret was compared as it is")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __hash__ = __contains__ = startswith = endswith = find = _refuse


def test_a_secret_that_is_looked_up_is_never_compared_itself(keyring: Keyring) -> None:
    assert keyring.environment(Untouchable(REAL), SERVER) == PRODUCTION
    assert keyring.environment(Untouchable(NEAR), SERVER) is None
    assert keyring.token(Untouchable(REAL)) is not None
    assert access.require(keyring, Untouchable(REAL), Scope.STREAM).name == "reader"
    with pytest.raises(Rejected):
        access.require(keyring, Untouchable(NEAR), Scope.STREAM)


SECRET = re.compile(
    "secrets?|passwords?|signatures?|digests?|shown|presented|credentials?|authorization", re.IGNORECASE
)
LOCAL = ("config/", "commands/", "cli.py")
"""What an operator writes, or asks on this machine."""


def named(node: ast.expr) -> Iterator[str]:
    """What is named in an operand."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr


def comparisons(text: str) -> Iterator[str]:
    """Every `==`, `!=`, `in` and `not in` of a source that names something secret."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Compare):
            continue
        if not any(isinstance(operator, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for operator in node.ops):
            continue
        if any(SECRET.fullmatch(word) for side in (node.left, *node.comparators) for word in named(side)):
            yield ast.unparse(node)


def test_no_secret_is_compared_but_by_its_digest_or_in_constant_time() -> None:
    assert list(comparisons("if claim.secret == mine and x in secrets: pass")) == [
        "claim.secret == mine",
        "x in secrets",
    ]
    root = Path(router.__file__).parent
    files = {file.relative_to(root).as_posix(): file for file in root.rglob("*.py")}
    found = {name: list(comparisons(file.read_text())) for name, file in files.items() if not name.startswith(LOCAL)}

    assert len(found) > 100
    assert {name: some for name, some in found.items() if some} == {}
