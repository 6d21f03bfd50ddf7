"""Timing of key comparison: how long a look-up takes says nothing about how much of a guess is right.

Keys and tokens are never compared at all: their SHA-256 is looked up. Signatures are compared in constant time.
"""

import ast
import gc
import hmac
import re
import time
from collections.abc import Callable, Iterator
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
LONG = 64 * 1024
"""Characters of the keys, a thousand times what vendors use, so that what a comparison would tell is above noise: one
that gives up at the first difference takes some 800 ns for all of them and 60 for none, beside a digest of 36,000."""
REAL = "sdk-" + "k" * (LONG - 4)
NEAR = [REAL[:-1] + last for last in "abcdefgh"]
"""All right but the last character; several, since where in memory a text lies has a say too."""
FAR = ["x" * (LONG - 1) + last for last in "abcdefgh"]
ROUNDS = 101


def sample(call: Callable[[str], object], guesses: list[str]) -> float:
    begun = time.perf_counter_ns()
    for guess in guesses:
        call(guess)
    return (time.perf_counter_ns() - begun) / len(guesses)


def told(call: Callable[[str], object]) -> float:
    """Nanoseconds that a call takes longer for an almost right guess than for one that is all wrong.

    Of many samples, taken in turns so that whatever else goes on strikes both, the fast ones: noise only adds.
    """
    near, far = [], []
    gc.disable()
    try:
        for _ in range(ROUNDS):
            near.append(sample(call, NEAR))
            far.append(sample(call, FAR))
    finally:
        gc.enable()
    return sorted(near)[ROUNDS // 10] - sorted(far)[ROUNDS // 10]


@pytest.fixture(scope="module")
def keyring() -> Keyring:
    rights = Token("reader", frozenset({Scope.STREAM}), None)
    return Keyring([(digest(REAL), CredentialKind.SDK_KEY, PRODUCTION)], [(digest(REAL), rights)])


@pytest.fixture(scope="module")
def bound() -> float:
    """Half of what the plainest comparison would tell, measured here and now."""
    found = told(lambda guess: guess == REAL)
    assert found > 100, "such a comparison tells nothing on this machine"
    return found / 2


def test_a_key_that_is_almost_right_takes_as_long_as_one_that_is_all_wrong(keyring: Keyring, bound: float) -> None:
    assert keyring.environment(REAL, SERVER) == PRODUCTION
    assert keyring.environment(NEAR[0], SERVER) is None
    assert told(lambda guess: keyring.environment(guess, SERVER)) < bound


def test_so_does_a_token(keyring: Keyring, bound: float) -> None:
    assert keyring.token(NEAR[0]) is None
    assert told(keyring.token) < bound


def test_the_measurement_would_tell(keyring: Keyring, bound: float) -> None:
    """Were the keys gone through after all, here three that begin alike."""

    def careless(guess: str) -> bool:
        return keyring.environment(guess, SERVER) is not None or any(guess == key for key in (REAL, REAL, REAL))

    assert told(careless) > bound


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
    assert keyring.environment(Untouchable(NEAR[0]), SERVER) is None
    assert keyring.token(Untouchable(REAL)) is not None
    assert access.require(keyring, Untouchable(REAL), Scope.STREAM).name == "reader"
    with pytest.raises(Rejected):
        access.require(keyring, Untouchable(NEAR[0]), Scope.STREAM)


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
