"""Flag changes: what a webhook tells of, or what the traffic shows, in the form that is stored and answered.

The types are those of LaunchDarkly's flag events; only `enabled_targeting` is attested, the others are ours
(protocols/launchdarkly.md 4.2, 5.3).
"""

import uuid
from typing import Final

import msgspec

from router.names import EnvironmentName

ENABLED: Final = "enabled_targeting"
OBSERVED: Final = "observed_version"

DESCRIPTIONS: Final = {
    ENABLED: "Targeting rule enabled",
    "disabled_targeting": "Targeting rule disabled",
    "created_flag": "Flag created",
    "deleted_flag": "Flag deleted",
    "archived_flag": "Flag archived",
    "restored_flag": "Flag restored",
    "updated_rules": "Targeting rules updated",
    "updated_targets": "Individual targets updated",
    "updated_fallthrough": "Default rule updated",
    "updated_off_variation": "Off variation updated",
    "updated_prerequisites": "Prerequisites updated",
    "updated_variations": "Variations updated",
    "copied_configuration": "Configuration copied between environments",
    "updated_flag": "Flag updated",
    OBSERVED: "Evaluations began to carry a newer version of the flag",
}

_NAMESPACE: Final = uuid.UUID("6f1b8f0e-5d0c-5c5f-9a55-0e6b8a1f7c11")


class Member(msgspec.Struct, frozen=True):
    """Who made a change; empty where the vendor does not say."""

    id: str = ""
    email: str = ""
    first_name: str = ""
    last_name: str = ""


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """One change of one flag in one environment.

    id: a UUID. time: when it was made, unix ms; of one seen in the traffic, the best guess. source: `launchdarkly`,
    `statsig`, `generic` or `traffic`. everywhere: it may affect any environment of its project. actions: in the words
    of the vendor. audit_id: names the vendor's own record of it. version: of the flag since the change, where known.
    """

    id: str
    flag: str
    type: str
    time: int
    description: str
    source: str
    everywhere: bool = False
    actions: tuple[str, ...] = ()
    audit_id: str | None = None
    member: Member | None = None
    version: int | None = None


def change_id(environment: EnvironmentName, *parts: str) -> str:
    """The id of the change that `parts` tell from all others of its environment: the same at each delivery."""
    return str(uuid.uuid5(_NAMESPACE, "\0".join((str(environment), *parts))))


def as_attributes(change: Change) -> dict[str, object]:
    """The change as the attributes of an event in the log."""
    built: dict[str, object] = msgspec.to_builtins(change)
    return built


def of_attributes(attributes: dict[str, object]) -> Change | None:
    """The change in the attributes of an event; None where they hold none."""
    try:
        return msgspec.convert(attributes, Change)
    except msgspec.ValidationError:
        return None
