"""What a Statsig event says: kind, flags, users, attributes (protocols/statsig-and-others.md 2 and 6)."""

import json
from typing import Any, Final

import pytest

from router.dialects.dialect import Batch, Dialect
from router.dialects.statsig import Statsig
from router.records import Event, Kind
from tests.dialects.fixtures import RECEIVED, decode
from tests.dialects.test_statsig import enveloped, posted

SDK: Final[Dialect] = Statsig()
TIME: Final = RECEIVED - 100


def read(event: dict[str, Any], **others: object) -> Event:
    batch = decode(SDK, posted("/v1/log_event", enveloped({"time": TIME, **event}, **others)))
    assert batch.set_aside == []
    return batch.events[0]


def exposure(name: str, /, **metadata: object) -> Event:
    return read({"eventName": f"statsig::{name}_exposure", "metadata": metadata})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("statsig::gate_exposure", Kind.EXPOSURE),
        ("statsig::config_exposure", Kind.EXPOSURE),
        ("statsig::layer_exposure", Kind.EXPOSURE),
        ("statsig::experiment_exposure", Kind.EXPOSURE),
        ("statsig::non_exposed_checks", Kind.SUMMARY),
        ("statsig::diagnostics", Kind.DIAGNOSTIC),
        ("statsig::log_event_failed", Kind.DIAGNOSTIC),
        ("statsig::app_error", Kind.DIAGNOSTIC),
        ("statsig::app_metrics::page_load_time", Kind.DIAGNOSTIC),
        ("statsig::log_line", Kind.DIAGNOSTIC),
        ("statsig::config_change", Kind.CHANGE),
        ("statsig::session_recording", Kind.OTHER),
        ("statsig::default_value_type_mismatch", Kind.OTHER),
        ("statsig::", Kind.OTHER),
        ("auto_capture::page_view", Kind.CUSTOM),
        ("purchase", Kind.CUSTOM),
        ("statsig", Kind.CUSTOM),
        ("Statsig::gate_exposure", Kind.CUSTOM),
        (" ü \n", Kind.CUSTOM),
    ],
)
@pytest.mark.parametrize("metadata", [None, {}, {"gate": 5, "checks": []}])
def test_every_name_has_a_kind_and_is_kept(name: str, kind: Kind, metadata: object) -> None:
    event = read({"eventName": name, "metadata": metadata})

    assert (event.kind, event.name) == (kind.value, name)


def test_a_gate_exposure_says_what_came_out_and_why() -> None:
    found = exposure("gate", gate="new_cart", gateValue="true", ruleID="5kQx1", reason="Network:Recognized", lcut="1")

    assert found.flags == ("new_cart",)
    assert found.attributes == {"reason": "Network:Recognized", "rule": "5kQx1", "variant": "true"}


@pytest.mark.parametrize(
    ("value", "variant"), [("true", "true"), ("false", "false"), (True, "true"), (False, "false"), ("True", "true")]
)
def test_a_gate_value_is_the_same_as_text_or_not(value: object, variant: str) -> None:
    assert exposure("gate", gate="g", gateValue=value).attributes == {"variant": variant}


def test_a_config_is_told_by_its_rule_as_no_value_is_sent() -> None:
    found = exposure("config", config="price_test", ruleID="2RamGs", reason="Bootstrap", rulePassed="true")

    assert found.flags == ("price_test",)
    assert found.attributes == {"reason": "Bootstrap", "rule": "2RamGs", "variant": "2RamGs"}


def test_a_layer_exposure_is_about_its_experiment_too() -> None:
    metadata = {"config": "home", "ruleID": "7Bbc", "allocatedExperiment": "hero", "parameterName": "title"}
    found = exposure("layer", **metadata)

    assert found.flags == ("home", "hero")
    assert found.attributes == {"rule": "7Bbc", "variant": "7Bbc", "experiment": "hero", "parameter": "title"}


@pytest.mark.parametrize(
    ("metadata", "flags"),
    [
        ({"config": "home", "allocatedExperiment": ""}, ("home",)),
        ({"config": "home", "allocatedExperiment": "home"}, ("home",)),
        ({"config": "", "allocatedExperiment": "hero"}, ("hero",)),
        ({"gate": "", "config": "home"}, ("home",)),
        ({"gate": 7}, ("7",)),
        ({"gate": None, "config": ["home"]}, ()),
        ({}, ()),
    ],
)
def test_flags_are_what_an_exposure_names(metadata: dict[str, object], flags: tuple[str, ...]) -> None:
    assert exposure("layer", **metadata).flags == flags


def test_a_group_name_is_kept_and_stands_in_for_a_rule() -> None:
    """Only webhooks tell it (3.3)."""
    both = exposure("experiment", config="e", ruleID="r", experimentGroupName="Test")
    alone = exposure("experiment", config="e", experimentGroupName="Test")

    assert both.attributes == {"rule": "r", "group": "Test", "variant": "r"}
    assert alone.attributes == {"group": "Test", "variant": "Test"}


@pytest.mark.parametrize(
    ("value", "manual"), [("true", True), (True, True), ("false", False), (False, False), (None, False)]
)
def test_a_manual_exposure_is_marked(value: object, manual: bool) -> None:
    """Java says false where others say nothing (2.5)."""
    assert exposure("gate", isManualExposure=value).attributes == ({"manual": True} if manual else None)


@pytest.mark.parametrize("empty", [[], None, [{}], [{"gate": ""}]])
def test_secondary_exposures_are_kept_beside_the_flags(empty: object) -> None:
    gates = [{"gate": "is_employee", "gateValue": "false", "ruleID": "default"}, {"gate": "eu", "gateValue": True}]
    event = {"eventName": "statsig::gate_exposure", "metadata": {"gate": "g"}}
    found = read({**event, "secondaryExposures": gates})

    assert found.flags == ("g",)
    assert found.attributes == {"secondary": [["is_employee", "false", "default"], ["eu", "true", ""]]}
    assert read({**event, "secondaryExposures": empty}).attributes is None


@pytest.mark.parametrize("folded", [False, True])
def test_unexposed_checks_name_their_flags_as_an_object_or_as_json_text(folded: bool) -> None:
    """An object from js-client, text from the cores, iOS and Dart (2.7)."""
    checks = {"gate_off": 3, "new_cart": 1}
    metadata = {"checks": json.dumps(checks) if folded else checks}
    found = read({"eventName": "statsig::non_exposed_checks", "user": None, "metadata": metadata})

    assert (found.kind, found.flags, found.attributes) == ("summary", ("gate_off", "new_cart"), None)


@pytest.mark.parametrize("checks", ["{broken", "gate", 5, None, ["gate"], "[1]"])
def test_checks_that_are_none_name_no_flags(checks: object) -> None:
    assert read({"eventName": "statsig::non_exposed_checks", "metadata": {"checks": checks}}).flags == ()


@pytest.mark.parametrize("name", ["statsig::gate_exposure", "statsig::non_exposed_checks"])
def test_metadata_as_json_text_says_the_same_as_an_object(name: str) -> None:
    metadata = {"gate": "g", "gateValue": "true", "ruleID": "r", "checks": {"g": 1}}
    secondary = [{"gate": "h", "gateValue": "true", "ruleID": "x"}]
    plain = read({"eventName": name, "metadata": metadata, "secondaryExposures": secondary})
    text = read({"eventName": name, "metadata": json.dumps(metadata), "secondaryExposures": json.dumps(secondary)})

    assert plain[:-1] == text[:-1]
    assert plain.flags == ("g",)


def test_a_change_names_the_flag_that_was_changed() -> None:
    metadata = {"type": "Gate", "name": "new_cart", "action": "updated"}
    found = read({"eventName": "statsig::config_change", "user": {"name": "Ana"}, "metadata": metadata})

    assert (found.kind, found.flags, found.contexts) == ("change", ("new_cart",), ())


@pytest.mark.parametrize(
    "metadata",
    [{"gate": "g", "gateValue": "true", "ruleID": "r", "reason": {"a": 1}, "name": [1], "checks": {"x": 1}}, {}, None],
)
def test_a_custom_events_metadata_is_its_senders_own(metadata: object) -> None:
    found = read({"eventName": "purchase", "value": 9.99, "metadata": metadata})

    assert (found.kind, found.flags, found.attributes) == ("custom", (), None)


def test_sampling_is_kept_for_who_weighs_events() -> None:
    sampled = read(
        {
            "eventName": "statsig::config_exposure",
            "statsigMetadata": {"samplingRate": 10, "samplingMode": "shadow", "shadowLogged": "dropped"},
        }
    )

    assert sampled.attributes == {"rate": 10, "mode": "shadow", "shadow": "dropped"}


@pytest.mark.parametrize("rate", [0, -1, "ten", True, None, 2**70, []])
def test_a_sampling_rate_that_is_none_is_left_out(rate: object) -> None:
    assert read({"eventName": "e", "statsigMetadata": {"samplingRate": rate, "currentPage": "/"}}).attributes is None


CONTEXTS = [
    ({"userID": "u-7"}, ("user:u-7",)),
    ({"userID": 7}, ("user:7",)),
    ({"userID": 7.0}, ("user:7",)),
    ({"userID": "u-7", "customIDs": {"orgID": "o-1", "seat": 4}}, ("user:u-7", "orgID:o-1", "seat:4")),
    ({"userID": "", "customIDs": {"orgID": "o-1"}}, ("orgID:o-1", "stableID:device")),
    ({"userID": "", "customIDs": {"stableID": "own"}}, ("stableID:own",)),
    ({"userID": "u-7", "customIDs": {"stableID": "own", "none": "", "null": None}}, ("user:u-7", "stableID:own")),
    ({"userID": None, "customIDs": None}, ("stableID:device",)),
    ({"userID": ["u-7"]}, ("stableID:device",)),
    ({}, ("stableID:device",)),
    (None, ("stableID:device",)),
    ("u-7", ("stableID:device",)),
]


@pytest.mark.parametrize(("user", "contexts"), CONTEXTS)
def test_contexts_are_the_users_ids_or_else_the_device(user: object, contexts: tuple[str, ...]) -> None:
    metadata = {"stableID": "device"}

    assert read({"eventName": "e", "user": user}, statsigMetadata=metadata).contexts == contexts


def test_without_ids_there_are_no_contexts() -> None:
    assert read({"eventName": "e", "user": {"email": "ana@example.com"}}).contexts == ()
    assert read({"eventName": "e"}, statsigMetadata={"stableID": ""}).contexts == ()


def test_the_events_own_device_wins() -> None:
    """Ruby repeats the whole SDK metadata in custom events (1.6)."""
    event = {"eventName": "e", "statsigMetadata": {"stableID": "own"}}

    assert read(event, statsigMetadata={"stableID": "device"}).contexts == ("stableID:own",)


@pytest.mark.parametrize(("tier", "attributes"), [("staging", {"tier": "staging"}), ("", None), (None, None)])
def test_the_tier_is_the_environment_an_sdk_was_told(tier: object, attributes: object) -> None:
    assert read({"eventName": "e", "user": {"statsigEnvironment": {"tier": tier}}}).attributes == attributes


@pytest.mark.parametrize("absent", [{}, {"user": None}])
def test_the_requests_user_stands_in_for_an_absent_one(absent: dict[str, Any]) -> None:
    user = {"userID": "u-1", "customIDs": {"orgID": "o-1"}, "statsigEnvironment": {"tier": "staging"}}
    found = read({"eventName": "e", **absent}, user=user)

    assert (found.contexts, found.attributes) == (("user:u-1", "orgID:o-1"), {"tier": "staging"})


@pytest.mark.parametrize(("own", "contexts"), [({"userID": "u-2"}, ("user:u-2",)), ({}, ())])
def test_the_events_user_wins_as_a_whole(own: dict[str, Any], contexts: tuple[str, ...]) -> None:
    found = read({"eventName": "e", "user": own}, user={"userID": "u-1", "statsigEnvironment": {"tier": "staging"}})

    assert (found.contexts, found.attributes) == (contexts, None)


def exposed(*exposures: dict[str, Any], **others: object) -> Batch:
    return decode(SDK, posted("/v1/log_custom_exposure", {"exposures": list(exposures), **others}))


def test_each_custom_exposure_is_an_exposure() -> None:
    """Named as SDKs name them, so that one filter finds both (1.10)."""
    gate = {"gateName": "new_cart", "passes": True, "ruleID": "r-1", "user": {"userID": "u-7"}, "time": TIME}
    experiment = {"experimentName": "price_test", "group": "Test Group", "time": str(TIME)}
    gates = [{"gate": "is_employee", "gateValue": "false", "ruleID": "default"}]
    batch = exposed(gate, {**experiment, "secondaryExposures": gates}, user={"userID": "u-1"})
    first, second = batch.events

    assert first[:6] == (
        "exposure",
        TIME,
        "statsig::gate_exposure",
        ("new_cart",),
        ("user:u-7",),
        {"manual": True, "rule": "r-1", "variant": "true"},
    )
    assert second[:6] == (
        "exposure",
        TIME,
        "statsig::config_exposure",
        ("price_test",),
        ("user:u-1",),
        {
            "manual": True,
            "group": "Test Group",
            "variant": "Test Group",
            "secondary": [["is_employee", "false", "default"]],
        },
    )
    assert json.loads(first.raw) == gate
    assert len(set(batch.event_identities or ())) == 2


def test_a_custom_exposure_of_nothing_is_set_aside() -> None:
    batch = exposed({"group": "Test"}, {"gateName": "g"}, {"experimentName": ""})

    assert [event.flags for event in batch.events] == [("g",)]
    assert batch.events[0].time == RECEIVED
    assert [aside.reason for aside in batch.set_aside] == ["the exposure names neither an experiment nor a gate"] * 2


def test_a_custom_exposure_may_come_alone() -> None:
    batch = decode(SDK, posted("/log_custom_exposure", {"gateName": "g", "passes": "false", "user": "u-7"}))

    assert [(event.flags, event.attributes) for event in batch.events] == [
        (("g",), {"manual": True, "variant": "false"})
    ]


@pytest.mark.parametrize("path", ["/v1/sdk_exception", "/v1/rgstr_e", "/rgstr_e"])
def test_an_sdks_report_of_its_failure_is_one_diagnostic_event(path: str) -> None:
    report = {
        "tag": "statsig::log_event_failed",
        "exception": "NetworkError",
        "info": "…",
        "sdkType": "js-client",
        "sdkVersion": "3.33.5",
        "statsigMetadata": {"stableID": "device"},
        "eventCount": 40,
    }
    batch = decode(SDK, posted(path, report))

    assert [event[:6] for event in batch.events] == [
        (
            "diagnostic",
            RECEIVED,
            "sdk_exception",
            (),
            ("stableID:device",),
            {"tag": "statsig::log_event_failed", "exception": "NetworkError"},
        )
    ]
    assert json.loads(batch.events[0].raw) == report
    assert (batch.facts["sdk"], batch.facts["sdk_version"]) == ("js-client", "3.33.5")
    assert batch.identity is None


def test_a_failure_report_need_not_say_anything() -> None:
    assert decode(SDK, posted("/v1/sdk_exception", {"tag": 5.5, "exception": {}})).events[0].attributes == {
        "tag": "5.5"
    }
    assert decode(SDK, posted("/v1/sdk_exception", {})).events[0].attributes is None


def test_cloudflares_log_records_are_diagnostic_events() -> None:
    """They come without a name, beside events that have one (1.10)."""
    records = [
        {"info": {"EventTimestampMs": TIME, "ScriptName": "checkout", "Outcome": "ok"}},
        {"info": {"EdgeStartTimestamp": (TIME + 1) * 1_000_000}},
        {"info": {"Outcome": "ok"}},
        {"eventName": "purchase", "time": TIME},
        {"info": "text"},
        {},
        5,
    ]
    batch = decode(SDK, posted("/v1/log_event/cf_log_drain", enveloped(*records)))  # type: ignore[arg-type] # odd ones

    assert [(event.kind, event.name, event.time) for event in batch.events] == [
        ("diagnostic", "cf_log_drain", TIME),
        ("diagnostic", "cf_log_drain", TIME + 1),
        ("diagnostic", "cf_log_drain", RECEIVED),
        ("custom", "purchase", TIME),
    ]
    assert len(batch.set_aside) == 3


@pytest.mark.parametrize(
    "body",
    [
        {"event": "signup", "timestamp": TIME, "user": {"userID": "u-7"}, "value": 1},
        [{"event": "signup", "timestamp": str(TIME), "user": {"userID": "u-7"}}],
        {"events": [{"eventName": "signup", "time": TIME, "user": {"userID": "u-7"}}]},
        {"events": [{"event": "signup", "time": TIME}], "user": {"userID": "u-7"}},
    ],
)
def test_the_inbound_webhook_takes_one_event_or_several_under_either_name(body: object) -> None:
    """As its guide, the published schema and real callers have it (3.1)."""
    batch = decode(SDK, posted("/v1/webhooks/event_webhook", body))

    assert [event[:5] for event in batch.events] == [("custom", TIME, "signup", (), ("user:u-7",))]
