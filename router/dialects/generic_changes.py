"""Flag changes from anything else: `{"data":[{"action","flag","change_id","created_at","created_by","environment"?}]}`.

The form is Sentry's for flag providers without one of their own (protocols/statsig-and-others.md 4.2; contract, "Flag
changes in").
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from router.changes import DESCRIPTIONS, ENABLED, Member
from router.dialects.announcement import Announcement, signed
from router.dialects.json import decode_tolerant, split_member

SOURCE: Final = "generic"
MOST_FUTURE: Final = 24 * 60 * 60 * 1000  # ms
_TYPES: Final = {
    "created": "created_flag",
    "updated": "updated_flag",
    "deleted": "deleted_flag",
    "enabled": ENABLED,
    "disabled": "disabled_targeting",
    "archived": "archived_flag",
    "restored": "restored_flag",
}


def verify(headers: Mapping[str, str], body: bytes, secret: str, now: int) -> bool:
    """Whether `X-Hub-Signature-256` is `sha256=` and the HMAC of the raw body; it signs no time."""
    algorithm, _, signature = headers.get("x-hub-signature-256", "").partition("=")
    return algorithm.strip().lower() == "sha256" and signed(secret, body, signature)


def read(body: bytes, received: int) -> list[Announcement]:
    """The changes in a delivery.

    received: unix ms; stands in where a change has no time.

    Raises:
        ValueError: it is no such list, or one of its changes lacks what tells it from others.
    """
    items, _ = split_member(body, "data")
    if items is None:
        raise ValueError('no list of changes: send {"data": [{"action", "flag", "change_id", "created_at", …}]}')
    return [_announcement(raw, place, received) for place, raw in enumerate(items)]


def _announcement(raw: bytes, place: int, received: int) -> Announcement:
    item = decode_tolerant(raw)
    if not isinstance(item, dict):
        raise ValueError(f"data[{place}] is not an object")
    flag = item.get("flag")
    if not isinstance(flag, str) or not flag:
        raise ValueError(f"data[{place}] names no flag")
    identity = item.get("change_id")
    if isinstance(identity, bool) or not isinstance(identity, str | int) or identity == "":
        raise ValueError(f"data[{place}] has no change_id: a second delivery could not be told from another change")
    action = item.get("action")
    if not isinstance(action, str) or not action:
        raise ValueError(f"data[{place}] has no action: write created, updated or deleted")
    type_ = _TYPES.get(action.lower(), "updated_flag")
    environment = item.get("environment")
    version = item.get("version")
    keys = (environment,) if isinstance(environment, str) and environment else ()
    return Announcement(
        flag=flag,
        type=type_,
        time=_time(item.get("created_at"), received),
        description=DESCRIPTIONS[type_],
        source=SOURCE,
        name=action,
        audit_id=str(identity),
        raw=raw,
        environments=keys,
        everywhere=not keys,
        actions=(action,),
        member=_member(item.get("created_by")),
        versions={key: version for key in keys if type(version) is int and 0 <= version < 2**63},
    )


def _time(value: object, received: int) -> int:
    """Unix ms of a time in ISO 8601, UTC where it names no zone, or in milliseconds."""
    if isinstance(value, str):
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            return received
        value = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= received + MOST_FUTURE:
        return received
    return int(value)


def _member(value: object) -> Member | None:
    if isinstance(value, str) and value:
        return Member(value, value if "@" in value else "")
    if not isinstance(value, dict) or not isinstance(identity := value.get("id"), str | int):
        return None
    text = str(identity)
    return Member(text, text if value.get("type") == "email" or "@" in text else "")
