"""LaunchDarkly's audit-log entries, as its webhooks post them (protocols/launchdarkly.md 5)."""

import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.changes import DESCRIPTIONS
from router.dialects.launchdarkly_changes import ACTIONS, read, verify

NOW = 1_767_225_700_000
ONE = "proj/shop;web,eu:env/production;critical:flag/checkout-v2;ui"


def entry(*accesses: tuple[str, str], **more: object) -> dict[str, Any]:
    told: dict[str, Any] = {
        "_id": "65f0aa00bb11cc22dd33ee44", "date": NOW - 100_000, "kind": "flag", "name": "Checkout v2",
        "description": "",
        "accesses": [{"action": action, "resource": resource} for action, resource in accesses],
        "member": {"_id": "65f0aa00bb11cc22dd33ee01", "email": "kim@shop.test", "firstName": "Kim", "lastName": "Ek"},
    }  # fmt: skip
    return told | more


def read_entry(*accesses: tuple[str, str], **more: object) -> list[Any]:
    return list(read(json.dumps(entry(*accesses, **more)).encode(), NOW))


def test_an_entry_with_everything() -> None:
    body = json.dumps(entry(("updateOn", ONE), titleVerb="turned on the flag")).encode()
    (told,) = read(body, NOW)
    assert (told.project, told.environments, told.flag) == ("shop", ("production",), "checkout-v2")
    assert (told.type, told.description, told.name) == ("enabled_targeting", "Targeting rule enabled", "updateOn")
    assert (told.time, told.audit_id, told.everywhere) == (NOW - 100_000, "65f0aa00bb11cc22dd33ee44", False)
    assert told.member is not None
    assert (told.member.id, told.member.first_name, told.member.last_name) == ("65f0aa00bb11cc22dd33ee01", "Kim", "Ek")
    assert told.raw == body


@pytest.mark.parametrize(
    ("more", "type_"),
    [
        ({"titleVerb": "turned on the flag"}, "enabled_targeting"),
        ({"titleVerb": "turned off the flag"}, "disabled_targeting"),
        ({"currentVersion": {"environments": {"production": {"on": False}}}}, "disabled_targeting"),
        ({"currentVersion": {"environments": {"production": {"on": True}}}}, "enabled_targeting"),
        ({"delta": [{"op": "replace", "path": "/environments/production/on", "value": False}]}, "disabled_targeting"),
        ({"delta": [{"op": "replace", "path": "/environments/production/on", "value": True}]}, "enabled_targeting"),
        ({}, "enabled_targeting"),
    ],
    ids=str,
)
def test_which_way_targeting_was_turned(more: dict[str, object], type_: str) -> None:
    (told,) = read_entry(("updateOn", ONE), **more)
    assert told.type == type_


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_that_counts_has_a_type(action: str) -> None:
    (told,) = read_entry((action, ONE))
    assert told.type in DESCRIPTIONS
    assert told.actions == (action,)
    assert told.everywhere is ACTIONS[action][1]


@pytest.mark.parametrize("action", ["updateName", "updateTags", "updateMaintainer", "createFlagLink", ""])
def test_others_are_no_flag_events(action: str) -> None:
    assert read_entry((action, ONE)) == []


def test_an_archived_flag_may_come_back() -> None:
    (told,) = read_entry(("updateGlobalArchived", ONE), titleVerb="restored the flag")
    assert told.type == "restored_flag"


def test_several_accesses_of_one_flag_are_one_event_of_the_most_impactful() -> None:
    (told,) = read_entry(("updateOffVariation", ONE), ("updateRules", ONE), ("updateName", ONE), ("updateRules", ONE))
    assert (told.type, told.actions) == ("updated_rules", ("updateOffVariation", "updateRules"))


def test_environments_with_the_same_actions_are_one() -> None:
    other = ONE.replace("production", "staging")
    (told,) = read_entry(("updateFlagVariations", ONE), ("updateFlagVariations", other))
    assert (told.environments, told.everywhere) == (("production", "staging"), True)
    both = read_entry(("updateRules", ONE), ("updateTargets", other))
    assert [(told.environments, told.type) for told in both] == [
        (("production",), "updated_rules"),
        (("staging",), "updated_targets"),
    ]


def test_all_environments_are_everywhere() -> None:
    (told,) = read_entry(("createFlag", "proj/shop:env/*:flag/new"))
    assert (told.environments, told.everywhere, told.flag) == ((), True, "new")


@pytest.mark.parametrize("resource", ["proj/shop:env/production", "proj/shop:env/production:flag/*", "", "flag/"])
def test_a_resource_without_a_flag_is_none(resource: str) -> None:
    assert read_entry(("updateRules", resource)) == []


def test_versions_are_told_by_environment() -> None:
    state = {"production": {"on": True, "version": 17}, "staging": {"version": "x"}, "odd": 5}
    (told,) = read_entry(("updateRules", ONE), currentVersion={"environments": state})
    assert told.versions == {"production": 17}


@pytest.mark.parametrize("kind", ["environment", "project", "segment"])
def test_entries_about_something_else_are_passed_over(kind: str) -> None:
    assert read_entry(("updateOn", ONE), kind=kind) == []


@pytest.mark.parametrize(
    ("date", "time"), [(None, NOW), (NOW + 10**9, NOW), (5, NOW), (True, NOW), (NOW - 5.5, NOW - 6)]
)
def test_a_time_that_cannot_be_is_that_of_arrival(date: object, time: int) -> None:
    (told,) = read_entry(("updateRules", ONE), date=date)
    assert told.time == time


@pytest.mark.parametrize("member", [None, {}, "kim", {"email": "x"}], ids=str)
def test_a_change_by_a_token_has_no_member(member: object) -> None:
    (told,) = read_entry(("updateRules", ONE), member=member)
    assert told.member is None


@pytest.mark.parametrize("body", [b"", b"[]", b"5", b"{", b'{"kind":"flag"}', b'{"_id":"1","accesses":5}'])
def test_what_is_no_entry_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(body, NOW)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(("date", "kind", "titleVerb", "accesses", "member", "currentVersion", "delta", "_id")),
        json_values,
    )
)
def test_whatever_an_entry_holds_it_is_read_or_refused(more: dict[str, object]) -> None:
    try:
        read(json.dumps(entry(("updateOn", ONE)) | more).encode(), NOW)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - a refusal is as good as a reading, and says why


def test_the_signature_is_over_the_raw_body() -> None:
    body = b'{"a": 1}'
    signature = hmac.new(b"whsec", body, "sha256").hexdigest()
    assert verify({"x-ld-signature": signature}, body, "whsec", NOW)
    assert not verify({"x-ld-signature": signature}, b'{"a":1}', "whsec", NOW)
    assert not verify({"x-ld-signature": signature}, body, "other", NOW)
    assert not verify({}, body, "whsec", NOW)
