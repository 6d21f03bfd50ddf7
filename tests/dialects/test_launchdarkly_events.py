"""What is extracted from LaunchDarkly events of every kind and schema."""

import json
from collections.abc import Mapping
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dialects.launchdarkly_events import (
    AHEAD,
    CANONICAL,
    EARLIEST,
    Reading,
    diagnostic_identity,
    read,
    told_schema,
)
from router.records import Event, Kind

RECEIVED: Final = 1_767_225_700_000
AT: Final = 1_767_225_600_123
USER: Final = {"kind": "user", "key": "u-7", "plan": "pro"}
MULTI: Final = {
    "kind": "multi",
    "user": {"key": "u-7", "_meta": {"redactedAttributes": ["/a"]}},
    "org": {"key": "acme"},
}


def reading(*events: Mapping[str, Any]) -> Reading:
    return read(json.dumps(events).encode(), RECEIVED)


def one(**event: object) -> Event:
    (found,) = reading(event).events
    return found


@pytest.mark.parametrize(
    ("kind", "canonical"),
    [
        *CANONICAL.items(),
        ("diagnostic", "diagnostic"),
        ("diagnostic-init", "diagnostic"),
        ("diagnostic-combined", "diagnostic"),
        ("session_replay", "other"),
        ("Feature", "other"),
    ],
)
def test_every_kind_has_its_canonical_kind_and_keeps_its_name(kind: str, canonical: str) -> None:
    event = one(kind=kind, creationDate=AT, anything={"else": [1, None]})

    assert (event.kind, event.name, event.time) == (canonical, kind, AT)
    assert json.loads(event.raw) == {"kind": kind, "creationDate": AT, "anything": {"else": [1, None]}}


def test_the_canonical_kinds_are_those_of_the_protocol_notes() -> None:
    evaluation, custom, identify = Kind.EVALUATION.value, Kind.CUSTOM.value, Kind.IDENTIFY.value
    assert {kind: CANONICAL[kind] for kind in ("feature", "debug")} == dict.fromkeys(("feature", "debug"), evaluation)
    for kind in ("custom", "click", "pageview", "click_pageview"):
        assert CANONICAL[kind] == custom
    for kind in ("index", "identify", "alias"):
        assert CANONICAL[kind] == identify
    assert [CANONICAL["summary"], CANONICAL["relayMetrics"], CANONICAL["migration_op"]] == [
        Kind.SUMMARY.value,
        Kind.DIAGNOSTIC.value,
        Kind.OTHER.value,
    ]


def test_a_custom_event_goes_by_its_key_and_others_by_their_kind() -> None:
    assert one(kind="custom", key="order-paid").name == "order-paid"
    assert one(kind="custom", key=12).name == "12"
    assert one(kind="custom").name == "custom"
    assert one(kind="custom", key="").name == "custom"
    assert one(kind="click", key="buy-goal").name == "click"


@pytest.mark.parametrize("kind", ["feature", "debug"])
def test_an_evaluation_names_its_flag_reason_variation_and_version(kind: str) -> None:
    event = one(
        kind=kind,
        creationDate=AT,
        key="checkout-v2",
        version=17,
        variation=1,
        value="blue",
        prereqOf="parent",
        context=MULTI,
        reason={"kind": "RULE_MATCH", "ruleIndex": 0, "ruleId": "r-42", "inExperiment": True},
    )

    assert event.flags == ("checkout-v2",)
    assert event.contexts == ("user:u-7", "org:acme")
    assert event.attributes == {"reason": "RULE_MATCH", "in_experiment": True, "variation": 1, "version": 17}


def test_attributes_are_none_where_there_are_none() -> None:
    event = one(kind="feature", key="f", version=None, variation=None, reason=None, value=None)

    assert event.attributes is None
    assert one(kind="feature", key="f", reason={"inExperiment": False}).attributes is None
    assert one(kind="custom", key="f", version=3).attributes is None


def test_a_summary_names_every_flag_and_ends_when_its_window_does() -> None:
    event = one(kind="summary", startDate=AT - 5000, endDate=AT, features={"b": {"counters": []}, "a": {}, "": {}})

    assert event.flags == ("b", "a", "")
    assert (event.time, event.contexts, event.attributes) == (AT, (), None)


def test_a_summary_of_one_context_names_it() -> None:
    assert one(kind="summary", endDate=AT, features={}, context=USER).contexts == ("user:u-7",)


def test_a_migration_operation_names_the_flag_it_evaluated() -> None:
    evaluation = {"key": "db-move", "value": "shadow", "variation": 2, "version": 5, "reason": {"kind": "FALLTHROUGH"}}
    event = one(
        kind="migration_op", creationDate=AT, operation="read", contextKeys={"user": "u"}, evaluation=evaluation
    )

    assert (event.kind, event.flags, event.contexts) == ("other", ("db-move",), ("user:u",))
    assert event.attributes == {"reason": "FALLTHROUGH", "variation": 2, "version": 5}
    assert one(kind="migration_op").flags == ()


@pytest.mark.parametrize(
    ("fields", "contexts"),
    [
        ({"context": USER}, ("user:u-7",)),
        ({"context": {"kind": "org", "key": "acme:eu/%"}}, ("org:acme:eu/%",)),
        ({"context": {"key": "legacy"}}, ("user:legacy",)),
        ({"context": MULTI}, ("user:u-7", "org:acme")),
        ({"context": {"kind": "multi", "user": {}, "org": {"key": "acme"}, "x": None}}, ("org:acme",)),
        ({"contextKeys": {"user": "u-7", "org": "o9"}}, ("user:u-7", "org:o9")),
        ({"contextKeys": {"user": None, "org": "o9"}}, ("org:o9",)),
        ({"user": {"key": "u-7", "custom": {"key": "x"}}}, ("user:u-7",)),
        ({"userKey": "u-7"}, ("user:u-7",)),
        ({"userKey": "anon", "contextKind": "anonymousUser"}, ("user:anon",)),
        ({"context": None, "userKey": "u-7"}, ("user:u-7",)),
        ({"context": {"kind": "user", "key": 12345}}, ("user:12345",)),
        ({"context": {"kind": "user", "key": 12345.0}}, ("user:12345",)),
        ({"context": {"kind": "user", "key": 0}}, ("user:0",)),
        ({"context": {"kind": "multi", "user": {"key": 0}}}, ("user:0",)),
        ({"userKey": 1.5}, ("user:1.5",)),
        ({"context": {"kind": "user", "key": ""}}, ()),
        ({"context": {"kind": "user"}}, ()),
        ({"userKey": ""}, ()),
        ({}, ()),
    ],
)
def test_contexts_are_found_in_every_form(fields: dict[str, object], contexts: tuple[str, ...]) -> None:
    assert one(kind="index", **fields).contexts == contexts


def test_an_alias_names_both_keys() -> None:
    event = one(kind="alias", key="u-7", contextKind="user", previousKey="anon", previousContextKind="anonymousUser")

    assert event.contexts == ("user:u-7", "user:anon")


@pytest.mark.parametrize(
    ("written", "time"),
    [
        (str(AT), AT),
        (f"{AT}.0", AT),
        (f"{AT}.987", AT),
        ("1.767225600123e12", AT),
        ("17672256e5", 1_767_225_600_000),
        (str(EARLIEST), EARLIEST),
        (str(RECEIVED + AHEAD), RECEIVED + AHEAD),
        (str(EARLIEST - 1), RECEIVED),
        (str(RECEIVED + AHEAD + 1), RECEIVED),
        ("null", RECEIVED),
        ("0", RECEIVED),
        ("-1", RECEIVED),
        ("1767225600", RECEIVED),
        ("NaN", RECEIVED),
        ("Infinity", RECEIVED),
        ("1e999", RECEIVED),
        ("9" * 400, RECEIVED),
        ("true", RECEIVED),
        (f'"{AT}"', RECEIVED),
        ("[]", RECEIVED),
    ],
)
def test_a_time_is_any_number_and_one_that_cannot_be_is_the_arrival(written: str, time: int) -> None:
    for kind, field in (("index", "creationDate"), ("summary", "endDate"), ("relayMetrics", "endDate")):
        (event,) = read(f'[{{"kind":"{kind}","{field}":{written}}}]'.encode(), RECEIVED).events
        assert (event.time, type(event.time)) == (time, int)


@pytest.mark.parametrize(
    ("written", "kept"),
    [("3", 3), ("3.0", 3), ("3.9", 3), ("3e0", 3), ("null", None), ("1e300", None), ("9" * 30, None), ('"3"', None)],
)
def test_versions_and_variations_are_truncated_to_what_the_log_holds(written: str, kept: int | None) -> None:
    (event,) = read(f'[{{"kind":"feature","version":{written},"variation":{written}}}]'.encode(), RECEIVED).events

    assert event.attributes == (None if kept is None else {"variation": kept, "version": kept})


@pytest.mark.parametrize(
    ("events", "schema"),
    [
        ([{"kind": "feature", "user": {"key": "u"}}], 1),
        ([{"kind": "feature", "userKey": "u"}], 3),
        ([{"kind": "index", "user": {"key": "u"}}], 3),
        ([{"kind": "alias", "key": "a", "previousKey": "b"}], 3),
        ([{"kind": "summary", "features": {"f": {}}}], 3),
        ([{"kind": "summary"}], 3),
        ([{"kind": "summary", "features": {"f": {"contextKinds": ["user"]}}}], 4),
        ([{"kind": "summary", "features": {}, "context": USER}], 4),
        ([{"kind": "feature", "context": USER}], 4),
        ([{"kind": "click", "contextKeys": {"user": "u"}}], 4),
        ([{"kind": "feature", "user": {"key": "u"}}, {"kind": "x"}, {"kind": "custom", "userKey": "u"}], 3),
        ([{"kind": "custom", "userKey": "u"}, {"kind": "custom", "user": {"key": "u"}}], 3),
        ([{"kind": "feature", "user": {"key": "u"}}, {"kind": "feature", "context": USER}], 4),
        ([{"kind": "feature", "context": None, "userKey": "u"}], 3),
        ([{"kind": "diagnostic-init"}], None),
        ([{"no": "kind"}], None),
        ([], None),
    ],
)
def test_the_schema_is_told_by_the_events(events: list[dict[str, Any]], schema: int | None) -> None:
    assert told_schema(reading(*events)) == schema


def test_a_diagnostic_is_identified_by_kind_id_and_time() -> None:
    event = {"kind": "diagnostic", "id": {"diagnosticId": "d-1", "sdkKeySuffix": "a1"}, "creationDate": AT, "x": {}}
    same = {"creationDate": AT, "kind": "diagnostic", "id": {"diagnosticId": "d-1"}}
    identity = diagnostic_identity(json.dumps(event).encode())

    assert identity is not None
    assert diagnostic_identity(json.dumps(same).encode()) == identity
    for change in ({"kind": "diagnostic-init"}, {"creationDate": AT + 1}, {"id": {"diagnosticId": "d-2"}}):
        assert diagnostic_identity(json.dumps(event | change).encode()) not in (identity, None)


@pytest.mark.parametrize(
    "missing", [{"id": None}, {"id": {}}, {"id": {"diagnosticId": ""}}, {"creationDate": None}, {"id": "d-1"}]
)
def test_a_diagnostic_that_does_not_say_which_it_is_has_no_identity(missing: dict[str, object]) -> None:
    """Two of them may be alike and still be two."""
    event = {"kind": "diagnostic", "id": {"diagnosticId": "d-1"}, "creationDate": AT} | missing

    assert diagnostic_identity(json.dumps(event).encode()) is None


def test_whatever_is_extracted_equals_a_record_made_by_hand() -> None:
    raw = b'{"kind":"custom","key":"paid","creationDate":1767225600123,"userKey":"u"}'

    assert read(b"[" + raw + b"]", RECEIVED).events == [Event("custom", AT, "paid", (), ("user:u",), None, raw)]
    assert type(read(raw, RECEIVED).events[0]) is Event


NUMBERS = st.none() | st.integers(-(2**65), 2**65) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
TIMES = NUMBERS | st.integers(EARLIEST - 5, EARLIEST + 5) | st.integers(RECEIVED + AHEAD - 5, RECEIVED + AHEAD + 5)
FEATURES = st.fixed_dictionaries(
    {"kind": st.just("feature")},
    optional={
        "key": st.none() | st.text(max_size=5) | st.integers(-5, 2**70) | st.floats(allow_nan=False),
        "variation": NUMBERS,
        "version": NUMBERS,
        "creationDate": TIMES,
        "endDate": TIMES,
        "reason": st.none()
        | st.fixed_dictionaries({"kind": st.sampled_from(["OFF", ""]), "inExperiment": st.booleans()}),
        "context": st.sampled_from([None, USER, MULTI, {}, 7]),
        "contextKeys": st.sampled_from([None, {"user": "u"}]),
        "user": st.sampled_from([None, {"key": "u-1"}]),
    },
)


@given(FEATURES)
def test_an_evaluation_is_the_same_among_others_and_alone(event: dict[str, object]) -> None:
    """Among others it takes a shorter way."""
    raw = json.dumps(event).encode()
    assert read(b"[" + raw + b"]", RECEIVED).events == read(raw, RECEIVED).events
