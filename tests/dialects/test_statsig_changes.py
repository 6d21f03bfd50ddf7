"""Statsig's outbound webhook: handshake, signature with its time, config changes among other events."""

import hmac
import json
from typing import Any

import pytest

from router.changes import Member
from router.dialects.statsig_changes import OLDEST, handshake, read, verify

NOW = 1_784_700_100_000


def item(**metadata: object) -> dict[str, Any]:
    told = {"type": "Gate", "name": "new_cart", "action": "updated", "description": "- Updated Rule beta rollout",
            "environments": "production,staging", "projectName": "shop"}  # fmt: skip
    return {
        "user": {"name": "Ana Maria Ek", "email": "ana@x.test"},
        "timestamp": NOW - 100_000,
        "eventName": "statsig::config_change",
        "metadata": told | metadata,
    }


def body(*items: object, bare: bool = False) -> bytes:
    return json.dumps(list(items) if bare else {"data": list(items)}).encode()


@pytest.mark.parametrize("bare", [False, True], ids=["data", "bare array"])
def test_a_change_with_everything(bare: bool) -> None:
    (told,) = read(body(item(), bare=bare), NOW)
    assert (told.flag, told.type, told.time) == ("new_cart", "updated_rules", NOW - 100_000)
    assert (told.environments, told.everywhere, told.actions) == (("production", "staging"), False, ("updated",))
    assert told.description == "- Updated Rule beta rollout"
    assert told.member == Member("ana@x.test", "ana@x.test", "Ana", "Maria Ek")
    assert json.loads(told.raw) == item()


@pytest.mark.parametrize(
    ("metadata", "type_"),
    [
        ({"action": "created"}, "created_flag"),
        ({"action": "deleted"}, "deleted_flag"),
        ({"action": "Updated"}, "updated_rules"),
        ({"description": "- Changed owner"}, "updated_flag"),
        ({"action": None, "description": None}, "updated_flag"),
    ],
    ids=str,
)
def test_types(metadata: dict[str, object], type_: str) -> None:
    (told,) = read(body(item(**metadata)), NOW)
    assert told.type == type_
    assert told.description


@pytest.mark.parametrize(
    ("metadata", "environments"),
    [
        ({"environments": None, "environment": "production"}, ("production",)),
        ({"environments": " production , , staging"}, ("production", "staging")),
        ({"environments": None}, ()),
    ],
    ids=str,
)
def test_environments(metadata: dict[str, object], environments: tuple[str, ...]) -> None:
    (told,) = read(body(item(**metadata)), NOW)
    assert told.environments == environments
    assert told.everywhere is (environments == ())


@pytest.mark.parametrize("timestamp", [NOW - 5, str(NOW - 5), (NOW - 5) / 1000], ids=str)
def test_times_in_any_form(timestamp: object) -> None:
    (told,) = read(body(item() | {"timestamp": timestamp}), NOW)
    assert told.time == NOW - 5


def test_other_events_and_other_entities_are_passed_over() -> None:
    others = [
        {"eventName": "statsig::gate_exposure", "metadata": {"gate": "new_cart"}},
        {"eventName": "purchase", "value": "statsig::config_change"},
        item(type="Segment"),
        item(name=""),
        item() | {"metadata": None},
        5,
    ]
    assert [told.flag for told in read(body(*others, item(), bare=True), NOW)] == ["new_cart"]


def test_a_second_delivery_is_recognised() -> None:
    once, again, later = (
        read(body(each), NOW)[0].identity for each in (item(), item(), item() | {"timestamp": NOW - 1})
    )
    assert once == again != later
    named = [read(body(item() | {"timeUUID": uuid}), NOW)[0].audit_id for uuid in ("u-1", "u-2")]
    assert named == ["u-1", "u-2"]


@pytest.mark.parametrize("content", [b"", b"5", b"{}", b'{"data":{}}', b"[{", b'{"data":null}'])
def test_what_is_no_list_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(content, NOW)


def test_the_handshake_is_answered_unsigned() -> None:
    asked = {"data": {"event": "url_verification", "verification_code": "c-1"}}
    answer = handshake(json.dumps(asked).encode())
    assert answer is not None
    assert json.loads(answer) == {"verification_code": "c-1"}


@pytest.mark.parametrize(
    "content", [b"", b"url_verification", b'["url_verification"]', b'{"data":[{"event":"url_verification"}]}']
)
def test_nothing_else_is_a_handshake(content: bytes) -> None:
    assert handshake(content) is None


def headers(stamp: str, content: bytes, secret: bytes = b"whsec", version: str = "v0") -> dict[str, str]:
    signature = hmac.new(secret, f"v0:{stamp}:".encode() + content, "sha256").hexdigest()
    return {"x-statsig-request-timestamp": stamp, "x-statsig-signature": f"{version}={signature}"}


@pytest.mark.parametrize(
    ("stamp", "holds"),
    [(NOW, True), (NOW - OLDEST, True), (NOW + OLDEST, True), (NOW - OLDEST - 1, False), (NOW + OLDEST + 1, False)],
)
def test_a_signature_holds_for_five_minutes(stamp: int, holds: bool) -> None:
    assert verify(headers(str(stamp), b"[]"), b"[]", "whsec", NOW) is holds


def test_what_does_not_hold() -> None:
    good = headers(str(NOW), b"[]")
    assert not verify(good, b"[ ]", "whsec", NOW)
    assert not verify(good, b"[]", "other", NOW)
    assert not verify(headers(str(NOW), b"[]", version="v1"), b"[]", "whsec", NOW)
    assert not verify(good | {"x-statsig-request-timestamp": "soon"}, b"[]", "whsec", NOW)
    assert not verify(good | {"x-statsig-request-timestamp": str(NOW + 1)}, b"[]", "whsec", NOW)
    assert not verify({}, b"[]", "whsec", NOW)
