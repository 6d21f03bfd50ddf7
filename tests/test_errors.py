"""Failures carry what the answer needs."""

from router.errors import Busy, Fault, Rejected


def test_a_rejection_names_its_fault() -> None:
    error = Rejected(Fault.MALFORMED, "not JSON")

    assert (error.fault, error.message, str(error)) == (Fault.MALFORMED, "not JSON", "not JSON")


def test_busy_says_when_to_come_back() -> None:
    assert Busy("full").retry_after == 1
    assert Busy("full", retry_after=7).retry_after == 7
