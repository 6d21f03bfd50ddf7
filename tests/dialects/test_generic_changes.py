"""The neutral form of a flag change."""

import hmac
import json
from typing import Any

import pytest

from router.changes import Member
from router.dialects.announcement import Announcement
from router.dialects.generic_changes import read, verify

NOW = 1_767_225_700_000


def change(**more: object) -> dict[str, Any]:
    told: dict[str, Any] = {
        "action": "updated", "flag": "f", "change_id": 7, "created_at": "2026-01-01T00:00:00+00:00",
        "created_by": {"id": "kim@shop.test", "type": "email"},
    }  # fmt: skip
    return told | more


def read_one(**more: object) -> Announcement:
    (told,) = read(json.dumps({"data": [change(**more)], "meta": {"version": 1}}).encode(), NOW)
    return told


def test_a_change_with_everything() -> None:
    told = read_one(environment="production", version=17)
    assert (told.flag, told.type, told.time, told.audit_id) == ("f", "updated_flag", 1_767_225_600_000, "7")
    assert (told.environments, told.everywhere, told.versions) == (("production",), False, {"production": 17})
    assert told.member == Member("kim@shop.test", "kim@shop.test")
    assert json.loads(told.raw)["change_id"] == 7


def test_without_an_environment_it_is_everywhere() -> None:
    told = read_one()
    assert (told.environments, told.everywhere, told.versions) == ((), True, {})


@pytest.mark.parametrize(
    ("action", "type_"),
    [("created", "created_flag"), ("Deleted", "deleted_flag"), ("enabled", "enabled_targeting"),
     ("disabled", "disabled_targeting"), ("renamed", "updated_flag")],
)  # fmt: skip
def test_types(action: str, type_: str) -> None:
    assert read_one(action=action).type == type_


@pytest.mark.parametrize(
    ("created_at", "time"),
    [
        ("2026-01-01T00:00:00", 1_767_225_600_000),
        ("2026-01-01T01:00:00+01:00", 1_767_225_600_000),
        ("2026-01-01T00:00:00.250Z", 1_767_225_600_250),
        (1_767_225_600_000, 1_767_225_600_000),
        ("yesterday", NOW),
        (None, NOW),
        ("2126-01-01T00:00:00Z", NOW),
        (-5, NOW),
    ],
)
def test_times(created_at: object, time: int) -> None:
    assert read_one(created_at=created_at).time == time


@pytest.mark.parametrize(
    ("created_by", "member"),
    [
        ({"id": 5, "type": "id"}, Member("5")),
        ("kim", Member("kim")),
        ("kim@shop.test", Member("kim@shop.test", "kim@shop.test")),
        (None, None),
        ({"type": "email"}, None),
    ],
    ids=str,
)
def test_members(created_by: object, member: Member | None) -> None:
    assert read_one(created_by=created_by).member == member


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"data":5}', b'{"data":[5]}',
     *(json.dumps({"data": [change(**{name: value})]}).encode()
       for name in ("flag", "change_id", "action") for value in (None, "", [1]))],
)  # fmt: skip
def test_what_lacks_something_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(content, NOW)


def test_the_signature_is_over_the_raw_body() -> None:
    body = b'{"data": []}'
    signature = hmac.new(b"whsec", body, "sha256").hexdigest()
    assert verify({"x-hub-signature-256": f"sha256={signature}"}, body, "whsec", NOW)
    for headers in ({}, {"x-hub-signature-256": signature}, {"x-hub-signature-256": f"sha1={signature}"}):
        assert not verify(headers, body, "whsec", NOW)
    assert not verify({"x-hub-signature-256": f"sha256={signature}"}, body, "other", NOW)
