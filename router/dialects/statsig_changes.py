"""Statsig's webhooks: batches of events, of which config changes count (protocols/statsig-and-others.md 3.3, 4.1)."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import msgspec

from router.changes import DESCRIPTIONS, Member
from router.dialects.announcement import Announcement, signed
from router.dialects.json import decode_tolerant, split_array, split_member
from router.dialects.statsig_times import milliseconds

SOURCE: Final = "statsig"
CONFIG_CHANGE: Final = "statsig::config_change"
OLDEST: Final = 5 * 60 * 1000  # ms between the signature's time and ours
_AHEAD: Final = 24 * 60 * 60 * 1000
_NO_FLAGS: Final = ("segment", "metric", "holdout")  # what configures no flag by itself
_ACTIONS: Final = {"created": "created_flag", "deleted": "deleted_flag", "archived": "archived_flag"}


def handshake(body: bytes) -> bytes | None:
    """The answer to the unsigned request that verifies the URL; None where this is none."""
    if b"url_verification" not in body:
        return None
    try:
        decoded = decode_tolerant(body)
    except ValueError:
        return None
    data = decoded.get("data") if isinstance(decoded, dict) else None
    if not isinstance(data, dict) or data.get("event") != "url_verification":
        return None
    return msgspec.json.encode({"verification_code": data.get("verification_code")})


def verify(headers: Mapping[str, str], body: bytes, secret: str, now: int) -> bool:
    """Whether `X-Statsig-Signature` is `v0=` and the HMAC of `v0:TIME:BODY`, its time within five minutes of `now`."""
    time = headers.get("x-statsig-request-timestamp", "").strip()
    sent = milliseconds(time)
    if sent is None or abs(now - sent) > OLDEST:
        return False
    version, _, signature = headers.get("x-statsig-signature", "").partition("=")
    return version.strip() == "v0" and signed(secret, f"v0:{time}:".encode() + body, signature)


def read(body: bytes, received: int) -> list[Announcement]:
    """The config changes in a delivery, a bare array or `{"data": […]}`; other events are not looked at.

    received: unix ms; stands in for a time that cannot be.

    Raises:
        ValueError: it is neither.
    """
    if body.lstrip().startswith(b"["):
        items: list[bytes] | None = split_array(body)
    else:
        items, _ = split_member(body, "data")
    if items is None:
        raise ValueError("no list of events: send an array, or an object with an array as its data")
    found = [_announcement(raw, received) for raw in items if CONFIG_CHANGE.encode() in raw]
    return [announcement for announcement in found if announcement is not None]


def _announcement(raw: bytes, received: int) -> Announcement | None:
    item = decode_tolerant(raw)
    if not isinstance(item, dict) or item.get("eventName") != CONFIG_CHANGE:
        return None
    metadata = item.get("metadata")
    if not isinstance(metadata, dict) or not (flag := _text(metadata.get("name"))):
        return None
    kind = _text(metadata.get("type"))
    if any(word in kind.lower() for word in _NO_FLAGS):
        return None
    action = _text(metadata.get("action")).lower()
    time = milliseconds(item.get("timestamp"))
    if time is None or not 0 < time <= received + _AHEAD:
        time = received
    description = _text(metadata.get("description"))
    type_ = _ACTIONS.get(action) or ("updated_rules" if "rule" in description.lower() else "updated_flag")
    environments = _text(metadata.get("environments")) or _text(metadata.get("environment"))
    keys = tuple(key for part in environments.split(",") if (key := part.strip()))
    # No audit id is sent; the same change delivered again is told by all that it says.
    told = f"{kind}\0{flag}\0{action}\0{item.get('timestamp')}\0{description}"
    return Announcement(
        flag=flag,
        type=type_,
        time=time,
        description=description or DESCRIPTIONS[type_],
        source=SOURCE,
        name=CONFIG_CHANGE,
        audit_id=_text(item.get("timeUUID")) or sha256(told.encode("utf-8", "replace")).hexdigest()[:32],
        raw=raw,
        environments=keys,
        everywhere=not keys,
        actions=(action,) if action else (),
        member=_member(item.get("user")),
    )


def _member(value: object) -> Member | None:
    if not isinstance(value, dict):
        return None
    email, name = _text(value.get("email")), _text(value.get("name"))
    if not email and not name:
        return None
    first, _, last = name.partition(" ")
    return Member(email or name, email, first, last)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
