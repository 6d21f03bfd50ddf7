"""Which environments an announcement is about, and whether a signature holds."""

import hmac

import pytest

from router.dialects.announcement import Announcement, signed
from router.names import EnvironmentName

PRODUCTION = EnvironmentName("shop", "production")


def announcement(**more: object) -> Announcement:
    told: dict[str, object] = {
        "flag": "f", "type": "updated_rules", "time": 5, "description": "…", "source": "generic", "name": "updated",
        "audit_id": "1", "raw": b"{}",
    }  # fmt: skip
    return Announcement(**(told | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("more", "concerned"),
    [
        ({}, True),
        ({"project": "shop"}, True),
        ({"project": "other"}, False),
        ({"environments": ("staging", "production")}, True),
        ({"environments": ("staging",)}, False),
    ],
    ids=str,
)
def test_whom_it_concerns(more: dict[str, object], concerned: bool) -> None:
    assert announcement(**more).concerns(PRODUCTION) is concerned


def test_its_change_takes_the_version_of_the_environment() -> None:
    change = announcement(versions={"production": 7}, everywhere=True).change(PRODUCTION)
    assert (change.version, change.everywhere, change.audit_id) == (7, True, "1")
    assert announcement(versions={"staging": 7}).change(PRODUCTION).version is None


def test_identities_and_ids_are_of_one_change_of_one_flag() -> None:
    told = [announcement(), announcement(flag="g"), announcement(audit_id="2"), announcement(source="statsig")]
    assert len({each.identity for each in told}) == len({each.change(PRODUCTION).id for each in told}) == 4
    assert announcement().identity == announcement(time=6).identity


@pytest.mark.parametrize("change", [str, str.upper, "  {} ".format], ids=["lower", "upper", "space"])
def test_a_signature_in_hex_of_either_case(change: object) -> None:
    signature = hmac.new(b"secret", b"body", "sha256").hexdigest()
    assert signed("secret", b"body", change(signature))  # type: ignore[operator]


@pytest.mark.parametrize("signature", ["", "00", "zz" * 32, "ab" * 32, "é"])
def test_other_signatures_do_not_hold(signature: str) -> None:
    assert not signed("secret", b"body", signature)
