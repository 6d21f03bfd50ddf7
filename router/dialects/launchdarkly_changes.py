"""LaunchDarkly's webhooks: an audit-log entry each (protocols/launchdarkly.md 5.1 to 5.3)."""

from collections.abc import Mapping
from typing import Any, Final

from router.changes import DESCRIPTIONS, ENABLED, Member
from router.dialects.announcement import Announcement, signed
from router.dialects.json import decode_tolerant
from router.dialects.launchdarkly_events import AHEAD, EARLIEST

SOURCE: Final = "launchdarkly"

ACTIONS: Final[Mapping[str, tuple[str, bool]]] = {
    "deleteFlag": ("deleted_flag", True),
    "createFlag": ("created_flag", True),
    "cloneFlag": ("created_flag", True),
    "updateGlobalArchived": ("archived_flag", True),
    "updateArchived": ("archived_flag", True),
    "updateOn": (ENABLED, False),
    "copyFlagConfigTo": ("copied_configuration", False),
    "copyFlagConfigFrom": ("copied_configuration", False),
    "updateFlagVariations": ("updated_variations", True),
    "updateFlagDefaultVariations": ("updated_variations", True),
    "updateRules": ("updated_rules", False),
    "updateRulesWithMeasuredRollout": ("updated_rules", False),
    "updateExpiringRules": ("updated_rules", False),
    "updateFallthrough": ("updated_fallthrough", False),
    "updateFallthroughWithMeasuredRollout": ("updated_fallthrough", False),
    "updateTargets": ("updated_targets", False),
    "updateExpiringTargets": ("updated_targets", False),
    "updatePrerequisites": ("updated_prerequisites", False),
    "updateOffVariation": ("updated_off_variation", False),
}
"""(type, whether it is of the whole project) of the actions that may change what is served, the most impactful first;
others are no flag events."""

_RANK: Final = {action: rank for rank, action in enumerate(ACTIONS)}


def verify(headers: Mapping[str, str], body: bytes, secret: str, now: int) -> bool:
    """Whether `X-LD-Signature` is the HMAC of the raw body; LaunchDarkly signs no time."""
    return signed(secret, body, headers.get("x-ld-signature", ""))


def read(body: bytes, received: int) -> list[Announcement]:
    """The flag changes that an audit-log entry tells of: one per flag and environment, or set of environments alike.

    received: unix ms; stands in for a time that cannot be.

    Raises:
        ValueError: it is no audit-log entry.
    """
    entry = decode_tolerant(body)
    if not isinstance(entry, dict) or not isinstance(entry.get("accesses", []), list):
        raise ValueError("not an audit-log entry: it has no list of accesses")
    if entry.get("kind") not in ("flag", None):
        return []
    audit_id = _text(entry.get("_id"))
    if not audit_id:
        raise ValueError("not an audit-log entry: it has no _id")
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for access in entry.get("accesses", []):
        if not isinstance(access, dict) or (action := _text(access.get("action"))) not in ACTIONS:
            continue
        resource = _resource(_text(access.get("resource")))
        if resource is not None:
            actions = grouped.setdefault(resource, [])
            if action not in actions:
                actions.append(action)
    # Environments with the same actions make one announcement, so that a change of the project is one change.
    alike: dict[tuple[str, str, tuple[str, ...], str], list[str]] = {}
    for (project, environment, flag), actions in grouped.items():
        action = min(actions, key=_RANK.__getitem__)
        kind = _type(entry, action, environment)
        alike.setdefault((project, flag, tuple(actions), kind), []).append(environment)
    return [
        Announcement(
            flag=flag,
            type=kind,
            time=_time(entry.get("date"), received),
            description=DESCRIPTIONS[kind],
            source=SOURCE,
            name=min(actions, key=_RANK.__getitem__),
            audit_id=audit_id,
            raw=body,
            environments=() if "*" in environments else tuple(environments),
            project=project,
            everywhere="*" in environments or any(ACTIONS[action][1] for action in actions),
            actions=actions,
            member=_member(entry.get("member")),
            versions=_versions(entry),
        )
        for (project, flag, actions, kind), environments in alike.items()
    ]


def _resource(text: str) -> tuple[str, str, str] | None:
    """(project, environment, flag) of `proj/a;tags:env/b;tags:flag/c;tags`; None where it names no flag."""
    parts: dict[str, str] = {}
    for part in text.split(":"):
        kind, slash, key = part.split(";", 1)[0].partition("/")
        if slash:
            parts[kind] = key
    flag = parts.get("flag", "")
    if not flag or flag == "*":
        return None
    return parts.get("proj", "").replace("*", ""), parts.get("env", "*"), flag


def _type(entry: dict[str, Any], action: str, environment: str) -> str:
    kind = ACTIONS[action][0]
    verb = _text(entry.get("titleVerb")).lower()
    if action == "updateOn":
        now_on = _now_on(entry, verb, environment)
        return ENABLED if now_on else "disabled_targeting"
    if kind == "archived_flag" and ("restore" in verb or "unarchive" in verb):
        return "restored_flag"
    return kind


def _now_on(entry: dict[str, Any], verb: str, environment: str) -> bool:
    """`updateOn` does not say which way: the sentence does, or the flag as it is now, or the patch (5.2)."""
    if "turned off" in verb:
        return False
    if "turned on" in verb:
        return True
    state = _environments(entry).get(environment)
    if isinstance(state, dict) and isinstance(state.get("on"), bool):
        return bool(state["on"])
    delta = entry.get("delta")
    for step in delta if isinstance(delta, list) else ():
        if isinstance(step, dict) and step.get("path") == f"/environments/{environment}/on":
            return step.get("value") is True
    return True


def _environments(entry: dict[str, Any]) -> dict[str, Any]:
    current = entry.get("currentVersion")
    found = current.get("environments") if isinstance(current, dict) else None
    return found if isinstance(found, dict) else {}


def _versions(entry: dict[str, Any]) -> dict[str, int]:
    return {
        key: state["version"]
        for key, state in _environments(entry).items()
        if isinstance(state, dict) and type(state.get("version")) is int and 0 <= state["version"] < 2**63
    }


def _member(value: object) -> Member | None:
    if not isinstance(value, dict) or not value.get("_id"):
        return None
    return Member(*(_text(value.get(name)) for name in ("_id", "email", "firstName", "lastName")))


def _time(value: object, received: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not EARLIEST <= value <= received + AHEAD:
        return received
    return int(value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
