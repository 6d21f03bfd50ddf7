"""Fields of another type than documented count as absent; they cost neither their event nor its neighbours."""

import json
import math
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.dialects.launchdarkly_events import read
from router.dialects.launchdarkly_items import Item, context_names, lenient, read_item, read_items, text_of
from router.records import pack_body

RECEIVED: Final = 1_767_225_700_000
FIELDS: Final = [field.encode_name for field in msgspec.structs.fields(Item) if field.name != "kind"]
ODD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(st.characters(), max_size=6),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["kind", "key", "org", "reason", "contextKinds"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(
    st.sampled_from(["feature", "custom", "summary", "migration_op", "alias", "index", "x"]),
    st.dictionaries(st.sampled_from(FIELDS), ODD, max_size=5),
)
def test_an_event_with_a_kind_is_taken_whatever_its_other_fields_hold(kind: str, fields: dict[str, Any]) -> None:
    """NaN, infinities, lone surrogates and numbers of any size included; what is extracted fits the log."""
    body = json.dumps([{"kind": kind, **fields}]).encode()

    reading = read(body, RECEIVED)

    assert [event.raw for event in reading.events] == [body[1:-1]]
    assert reading.set_aside == []
    assert pack_body("launchdarkly", "bulk", {}, reading.events)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [[1], "text", 7, True, {"kind": 5, "key": []}, [{"key": {}}]])
def test_one_field_of_another_type_leaves_the_others_readable(field: str, value: object) -> None:
    event = {"kind": "feature", "key": "f", "userKey": "u", "version": 3, "creationDate": RECEIVED - 1} | {field: value}

    (found,) = read(json.dumps([event]).encode(), RECEIVED).events

    assert found.name == "feature"
    if field not in ("key", "userKey", "version", "creationDate", "context", "contextKeys", "user"):
        assert (found.flags, found.contexts, found.time) == (("f",), ("user:u",), RECEIVED - 1)
        assert found.attributes is not None
        assert found.attributes["version"] == 3


@pytest.mark.parametrize(
    ("context", "names"),
    [
        (b'{"kind":"user","key":"u"}', ("user:u",)),
        (b'{"key":"u","kind":null}', ("user:u",)),
        (b'{"kind":"multi","a":{"key":"1"},"b":{"key":2},"c":"text","d":3,"e":true}', ("a:1", "b:2")),
        (b'{"kind":"multi"}', ()),
        (b'{"kind":"multi","a":[]}', ()),
        (b'{"kind":7,"key":"u"}', ()),
        (b'{"kind":"user","key":["u"]}', ()),
        (b"null", ()),
        (b'"u"', ()),
    ],
)
def test_a_context_that_is_not_as_documented_names_nobody(context: bytes, names: tuple[str, ...]) -> None:
    assert context_names(msgspec.Raw(context)) == names


@pytest.mark.parametrize(
    ("key", "text"),
    [("u", "u"), ("", ""), (None, ""), (7, "7"), (0, "0"), (-1, "-1"), (7.0, "7"), (1.5, "1.5"), (1e300, "1e+300")],
)
def test_keys_are_written_as_text(key: str | float | None, text: str) -> None:
    assert text_of(key) == text


def test_the_tolerant_reader_finds_what_the_quick_one_does() -> None:
    """On well-formed events the two agree field by field."""
    events: list[dict[str, Any]] = [
        {
            "kind": "feature",
            "key": "f",
            "variation": 1,
            "version": 2.0,
            "reason": {"kind": "OFF", "inExperiment": True},
        },
        {"kind": "summary", "endDate": 5, "features": {"f": {"contextKinds": ["user"]}, "g": {}}},
        {"kind": "custom", "key": "k", "contextKeys": {"user": "u", "org": 7}, "creationDate": 1.5},
        {"kind": "alias", "key": "a", "previousKey": "b", "user": {"key": "u"}, "userKey": 3},
        {"kind": "migration_op", "evaluation": {"key": "m", "variation": 0, "version": 1, "reason": {"kind": "OFF"}}},
        {"kind": "index", "context": {"kind": "multi", "user": {"key": "u"}, "org": {"key": 7}}},
    ]
    quick = read_items(json.dumps(events).encode())

    assert quick is not None
    for event, item in zip(events, quick, strict=True):
        tolerant = lenient(event)
        assert tolerant is not None
        assert context_names(tolerant.context) == context_names(item.context)
        tolerant.context = item.context
        assert plain(tolerant) == plain(item)


def plain(item: Item) -> dict[str, Any]:
    fields = msgspec.structs.asdict(item)
    del fields["context"]
    if fields["reason"] is not None:
        fields["reason"].in_experiment = bool(fields["reason"].in_experiment)
    if fields["evaluation"] is not None:
        fields["evaluation"].reason.in_experiment = bool(fields["evaluation"].reason.in_experiment)
    return fields


def test_numbers_that_are_none_are_absent() -> None:
    item = lenient({"kind": "x", "creationDate": math.nan, "version": -math.inf, "key": True, "userKey": math.inf})

    assert item is not None
    assert (item.creation_date, item.version, item.key, item.user_key) == (None, None, None, None)


@pytest.mark.parametrize("element", [b"null", b"1", b'"x"', b"[{}]", b"NaN"])
def test_what_is_no_object_is_no_item(element: bytes) -> None:
    assert read_item(element) is None


def test_the_quick_way_is_for_text_that_lends_itself() -> None:
    good = b'{"kind":"x"}'

    assert read_items(b"[" + good + b"]") is not None
    for neighbour in (b"null", b'{"kind":1}', b'{"x":NaN}', b'{"x":"\xff"}', b'{"x":"\\ud800"}', b'{"key":[]}'):
        assert read_items(b"[" + good + b"," + neighbour + b"]") is None
