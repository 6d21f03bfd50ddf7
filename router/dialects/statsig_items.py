"""The fields of Statsig events that are looked at, of all SDKs at once.

One lenient structure takes every event (protocols/statsig-and-others.md 2.2), so that msgspec reads a whole post in one
pass. A custom event's metadata is its sender's own, so the members looked at in an exposure's may be anything there:
they are read as they are and judged where they are used. For events that msgspec refuses there is a slower reader,
which shrugs at what real senders get wrong: a field of another type than documented counts as absent.
"""

import math
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from router.dialects.json import decode_tolerant, is_utf8

_Decoded = TypeVar("_Decoded")

MAX_INTEGER: Final = 2**63 - 1  # what the log's msgpack holds whatever the sign
MAX_DEPTH: Final = 16  # levels of a map or list that are kept as such
Time: TypeAlias = int | float | str | None


class Environment(msgspec.Struct, gc=False):
    tier: Any = None


class User(msgspec.Struct, gc=False):
    """Whom an event is about (2.3). Only ids and the tier matter here."""

    user_id: Any = msgspec.field(default=None, name="userID")
    custom_ids: dict[str, Any] | None = msgspec.field(default=None, name="customIDs")
    environment: Environment | None = msgspec.field(default=None, name="statsigEnvironment")


class Metadata(msgspec.Struct, gc=False, rename="camel"):
    """An event's metadata: those members that some `statsig::` event has a meaning for (2.5, 2.7, 3.3)."""

    gate: Any = None
    gate_value: Any = None
    config: Any = None
    rule_id: Any = msgspec.field(default=None, name="ruleID")
    reason: Any = None
    allocated_experiment: Any = None
    parameter_name: Any = None
    is_manual_exposure: Any = None
    experiment_group_name: Any = None
    checks: Any = None
    name: Any = None


class Secondary(msgspec.Struct, gc=False, rename="camel"):
    """A gate that was checked on the way to an exposure."""

    gate: Any = None
    gate_value: Any = None
    rule_id: Any = msgspec.field(default=None, name="ruleID")


class Sampling(msgspec.Struct, gc=False, rename="camel"):
    """An event's own statsigMetadata."""

    sampling_rate: Any = None
    sampling_mode: Any = None
    shadow_logged: Any = None
    stable_id: Any = msgspec.field(default=None, name="stableID")


class Item(msgspec.Struct, gc=False):
    """The fields of any event that are looked at; the rest is skipped unread. `event` and `timestamp` are the names
    that the inbound webhook uses (3.1)."""

    name: Any = msgspec.field(default=None, name="eventName")
    time: Time = None
    user: User | None = None
    metadata: Metadata | None = None
    secondary: list[Secondary] | None = msgspec.field(default=None, name="secondaryExposures")
    sampling: Sampling | None = msgspec.field(default=None, name="statsigMetadata")
    event: Any = None
    timestamp: Time = None


class Exposure(msgspec.Struct, gc=False, rename="camel"):
    """An exposure of `log_custom_exposure`: of an experiment or of a gate (1.10)."""

    experiment_name: Any = None
    gate_name: Any = None
    passes: Any = None
    group: Any = None
    rule_id: Any = msgspec.field(default=None, name="ruleID")
    time: Any = None
    user: User | None = None
    secondary: list[Secondary] | None = msgspec.field(default=None, name="secondaryExposures")


_ITEM: Final = msgspec.json.Decoder(Item)
_EXPOSURE: Final = msgspec.json.Decoder(Exposure)


def read_item(element: bytes) -> Item | None:
    """The item of one event's JSON; None where that is no object.

    Raises:
        ValueError: it cannot be read even with tolerance (`decode_tolerant`).
    """
    return _read(element, _ITEM) or lenient_item(decode_tolerant(element))


def read_exposure(element: bytes) -> Exposure | None:
    """The same for an exposure of `log_custom_exposure`."""
    return _read(element, _EXPOSURE) or lenient_exposure(decode_tolerant(element))


def lenient_item(value: object) -> Item | None:
    """What can be used of an event that is not as documented; None where it is no object."""
    if not isinstance(value, dict):
        return None
    return Item(
        name=value.get("eventName"),
        time=_time(value.get("time")),
        user=lenient_user(value.get("user")),
        metadata=_metadata(unfolded(value.get("metadata"))),
        secondary=_secondary(unfolded(value.get("secondaryExposures"))),
        sampling=_sampling(value.get("statsigMetadata")),
        event=value.get("event"),
        timestamp=_time(value.get("timestamp")),
    )


def lenient_exposure(value: object) -> Exposure | None:
    """The same for an exposure of `log_custom_exposure`."""
    if not isinstance(value, dict):
        return None
    return Exposure(
        experiment_name=value.get("experimentName"),
        gate_name=value.get("gateName"),
        passes=value.get("passes"),
        group=value.get("group"),
        rule_id=value.get("ruleID"),
        time=value.get("time"),
        user=lenient_user(value.get("user")),
        secondary=_secondary(unfolded(value.get("secondaryExposures"))),
    )


def lenient_user(value: object) -> User | None:
    """The user that a decoded JSON value is; None where it is none."""
    if not isinstance(value, dict):
        return None
    ids = value.get("customIDs")
    environment = value.get("statsigEnvironment")
    return User(
        user_id=value.get("userID"),
        custom_ids=ids if isinstance(ids, dict) else None,
        environment=Environment(environment.get("tier")) if isinstance(environment, dict) else None,
    )


def unfolded(value: object) -> object:
    """`value`, decoded once more where it is JSON in text: one SDK sends as text what another sends as an object.

    What only looks like JSON stays text (6.5).
    """
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    try:
        return decode_tolerant(value.encode("utf-8", "replace"))
    except ValueError:
        return value


def text_of(value: object) -> str:
    """A scalar as text, as JSON would write it; the empty text for anything else.

    Hand-written senders give ids as numbers; gate values come as booleans or as text (6.5).
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if not math.isfinite(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < MAX_INTEGER else str(value)
    return str(value) if isinstance(value, int) else ""


def storable(value: object, depth: int = MAX_DEPTH) -> object:
    """A decoded JSON value as the log can hold it: too large an integer becomes text, what is too deep an ellipsis."""
    if value is None or isinstance(value, str | bool | float):
        return value
    if isinstance(value, int):
        return value if -MAX_INTEGER <= value <= MAX_INTEGER else str(value)
    if depth <= 0:
        return "…"
    if isinstance(value, dict):
        return {name: storable(each, depth - 1) for name, each in value.items()}
    return [storable(each, depth - 1) for each in value] if isinstance(value, list) else None


def _read(element: bytes, decoder: "msgspec.json.Decoder[_Decoded]") -> _Decoded | None:
    """What the quick way makes of an element; None where it does not lend itself to that."""
    if not is_utf8(element):
        return None
    try:
        return decoder.decode(element)
    except (msgspec.DecodeError, RecursionError):
        return None


def _metadata(value: object) -> Metadata | None:
    if not isinstance(value, dict):
        return None
    return Metadata(
        gate=value.get("gate"),
        gate_value=value.get("gateValue"),
        config=value.get("config"),
        rule_id=value.get("ruleID"),
        reason=value.get("reason"),
        allocated_experiment=value.get("allocatedExperiment"),
        parameter_name=value.get("parameterName"),
        is_manual_exposure=value.get("isManualExposure"),
        experiment_group_name=value.get("experimentGroupName"),
        checks=value.get("checks"),
        name=value.get("name"),
    )


def _secondary(value: object) -> list[Secondary] | None:
    if not isinstance(value, list):
        return None
    return [
        Secondary(each.get("gate"), each.get("gateValue"), each.get("ruleID"))
        for each in value
        if isinstance(each, dict)
    ]


def _sampling(value: object) -> Sampling | None:
    if not isinstance(value, dict):
        return None
    return Sampling(
        value.get("samplingRate"), value.get("samplingMode"), value.get("shadowLogged"), value.get("stableID")
    )


def _time(value: object) -> Time:
    return value if isinstance(value, int | float | str) and not isinstance(value, bool) else None
