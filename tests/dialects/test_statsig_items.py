"""The fields of Statsig events, read with tolerance."""

import json
import math
from typing import Any, Final

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dialects.statsig_items import (
    MAX_DEPTH,
    Exposure,
    Item,
    lenient_exposure,
    lenient_item,
    lenient_user,
    read_exposure,
    read_item,
    storable,
    text_of,
    unfolded,
)

FULL: Final[dict[str, Any]] = {
    "eventName": "statsig::layer_exposure",
    "time": 1784700000000,
    "user": {"userID": "u-7", "customIDs": {"orgID": "o-1"}, "statsigEnvironment": {"tier": "staging"}},
    "metadata": {
        "gate": "g",
        "gateValue": "true",
        "config": "c",
        "ruleID": "r",
        "reason": "Network",
        "allocatedExperiment": "e",
        "parameterName": "p",
        "isManualExposure": "true",
        "experimentGroupName": "Test",
        "checks": {"g": 1},
        "name": "n",
    },
    "secondaryExposures": [{"gate": "h", "gateValue": "false", "ruleID": "x"}],
    "statsigMetadata": {"samplingRate": 2, "samplingMode": "on", "shadowLogged": "logged", "stableID": "d"},
    "event": "also",
    "timestamp": "1784700000000",
}
EXPOSURE: Final[dict[str, Any]] = {
    "experimentName": "e",
    "gateName": "g",
    "passes": True,
    "group": "Test",
    "ruleID": "r",
    "time": 5,
    "user": {"userID": "u-7"},
    "secondaryExposures": [{"gate": "h", "gateValue": "false", "ruleID": "x"}],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_the_quick_reader_and_the_tolerant_one_find_the_same() -> None:
    assert read_item(json.dumps(FULL).encode()) == lenient_item(FULL)
    assert read_exposure(json.dumps(EXPOSURE).encode()) == lenient_exposure(EXPOSURE)


def test_every_field_is_found_by_its_name() -> None:
    item = read_item(json.dumps(FULL).encode())
    exposure = read_exposure(json.dumps(EXPOSURE).encode())

    assert item is not None
    assert exposure is not None
    assert item.secondary is not None
    for found in (item, item.metadata, item.user, item.sampling, item.secondary[0], exposure):
        assert found is not None
        assert all(getattr(found, name) is not None for name in found.__struct_fields__)


@pytest.mark.parametrize("name", [name for name in FULL if name != "eventName"])
@pytest.mark.parametrize("value", [5, "text", [5], [{"gate": 5}], {"userID": {}}, True, {"customIDs": []}, None])
def test_a_field_of_another_type_costs_nothing_but_itself(name: str, value: object) -> None:
    item = read_item(json.dumps({**FULL, name: value}).encode())

    assert item is not None
    assert item.name == FULL["eventName"]
    kept = {"time": item.time, "timestamp": item.timestamp, "event": item.event}
    assert {key: kept[key] for key in kept if key != name} == {key: FULL[key] for key in kept if key != name}


@pytest.mark.parametrize("element", [b"5", b"null", b'"text"', b"[]", b"[{}]"])
def test_what_is_no_object_has_no_item(element: bytes) -> None:
    assert read_item(element) is None
    assert read_exposure(element) is None


@pytest.mark.parametrize("element", [b"", b"{", b"nonsense", b'{"a":"\xff"}', b"[" * 9000])
def test_what_is_no_json_says_why(element: bytes) -> None:
    with pytest.raises(ValueError, match=r"not JSON|not UTF-8|nested too deeply"):
        read_item(element)


@pytest.mark.parametrize("value", [b"NaN", b"-Infinity", b'"\\ud800"', b"1e999", b"9" * 400])
def test_what_encoders_get_wrong_is_read_all_the_same(value: bytes) -> None:
    item = read_item(b'{"eventName":"e","value":%s,"metadata":{"reason":%s},"user":{"userID":"u"}}' % (value, value))

    assert item is not None
    assert item.name == "e"
    assert item.user is not None
    assert item.user.user_id == "u"


@given(st.dictionaries(st.sampled_from(list(FULL)), JSON))
def test_the_tolerant_reader_takes_any_event(event: dict[str, Any]) -> None:
    assert isinstance(lenient_item(event), Item)


@given(st.dictionaries(st.sampled_from(list(EXPOSURE)), JSON))
def test_the_tolerant_reader_takes_any_exposure(exposure: dict[str, Any]) -> None:
    assert isinstance(lenient_exposure(exposure), Exposure)


@pytest.mark.parametrize("value", [None, "u-7", 5, [], True])
def test_what_is_no_object_is_no_user(value: object) -> None:
    assert lenient_user(value) is None


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ('{"a": [1]}', {"a": [1]}),
        (' [1, "x"]', [1, "x"]),
        ('{"a": NaN', '{"a": NaN'),
        ("{curly}", "{curly}"),
        ("plain", "plain"),
        ("5", "5"),
        ("", ""),
        (5, 5),
        (None, None),
        ({"a": "{}"}, {"a": "{}"}),
        ("[" * 9000, "[" * 9000),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_json_in_text_is_unfolded_once_and_other_text_is_left(value: object, found: object) -> None:
    assert unfolded(value) == found


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("text", "text"),
        ("", ""),
        (5, "5"),
        (-5, "-5"),
        (5.0, "5"),
        (5.5, "5.5"),
        (1e300, "1e+300"),
        (2**80, str(2**80)),
        (True, "true"),
        (False, "false"),
        (math.nan, ""),
        (math.inf, ""),
        (None, ""),
        ([], ""),
        ({}, ""),
    ],
)
def test_a_scalar_is_written_as_json_would(value: object, text: str) -> None:
    assert text_of(value) == text


@given(JSON)
def test_whatever_json_says_can_be_stored(value: object) -> None:
    msgpack.packb(storable(json.loads(json.dumps(value).encode("utf-8", "replace"))), unicode_errors="surrogatepass")


def test_what_the_log_cannot_hold_is_written_as_text() -> None:
    deep: list[Any] = []
    for _ in range(2000):
        deep = [deep]
    stored = storable({"deep": deep, "huge": -(2**64), "float": 0.5, "none": None, "list": [1, {"a": True}]})

    assert isinstance(stored, dict)
    assert stored.pop("deep") == json.loads("[" * (MAX_DEPTH - 1) + '"…"' + "]" * (MAX_DEPTH - 1))
    assert stored == {"huge": str(-(2**64)), "float": 0.5, "none": None, "list": [1, {"a": True}]}
    assert storable(object()) is None
