"""Splitting JSON: exact bytes, in order, whatever the neighbours are like."""

import json
import math
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.dialects.json import (
    bound_count,
    decode_tolerant,
    deeper_than,
    is_utf8,
    split_array,
    split_member,
    split_object,
    trim,
)
from router.errors import Rejected

SPACE = st.text(" \t\r\n", max_size=2).map(str.encode)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
GOOD = st.builds(lambda value, ascii_only: json.dumps(value, ensure_ascii=ascii_only).encode(), VALUES, st.booleans())
# Each makes msgspec refuse the whole document, and is closed: it cannot reach into its neighbours.
BROKEN = st.sampled_from(
    [
        b"NaN",
        b"-Infinity",
        b'{"a":tru}',
        b'"\\ud800"',
        b'"\xff"',
        b"01",
        b'{"a":1 "b":2}',
        b'["\\x, ]"]',
        b'{"a":}',
        b"x",
    ]
)


def joined(parts: list[tuple[bytes, bytes, bytes]], opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return opening + b",".join(before + element + after for before, element, after in parts) + closing


@settings(deadline=None)
@given(st.lists(st.tuples(SPACE, GOOD | BROKEN, SPACE), max_size=8))
def test_an_array_is_split_into_the_bytes_of_its_elements(parts: list[tuple[bytes, bytes, bytes]]) -> None:
    assert split_array(joined(parts)) == [element for _, element, _ in parts]


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=6), st.tuples(SPACE, GOOD | BROKEN, SPACE), max_size=6))
def test_an_object_is_split_into_the_bytes_of_its_values(members: dict[str, tuple[bytes, bytes, bytes]]) -> None:
    names = [json.dumps(name).encode() + b" :" for name in members]
    parts = [
        (name + before, value, after) for name, (before, value, after) in zip(names, members.values(), strict=True)
    ]

    assert split_object(joined(parts, b"{", b"}")) == {name: value for name, (_, value, _) in members.items()}


def test_whitespace_and_a_byte_order_mark_are_no_part_of_anything() -> None:
    body = b'\xef\xbb\xbf\r\n [ {"a": 1} ,\t2 ] \n'

    assert split_array(body) == [b'{"a": 1}', b"2"]
    assert trim(body) == b'[ {"a": 1} ,\t2 ]'
    assert trim(trimmed := b"[1]") is trimmed


@pytest.mark.parametrize("body", [b"[]", b"[ ]", b" [\n] "])
def test_an_empty_array_has_no_elements(body: bytes) -> None:
    assert split_array(body) == []


def test_a_comma_too_many_costs_the_neighbours_nothing() -> None:
    assert split_array(b"[1,,2,]") == [b"1", b"", b"2", b""]
    assert split_object(b'{"a":1,}') == {"a": b"1"}


def test_of_members_with_one_name_the_last_wins() -> None:
    assert split_object(b'{"a":1,"a":2}') == {"a": b"2"}
    assert split_object(b'{"a":1,"\\u0061":NaN}') == {"a": b"NaN"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not a JSON array: it begins with b''"),
        (b'{"a":1}', "not a JSON array"),
        (b"5", "not a JSON array"),
        (b"[1,2", "cut short: it has no end within its 4 bytes"),
        (b'[1,"x]', "cut short: the string at byte 3 has no end"),
        (b'["x\\"]', "cut short: the string at byte 1 has no end"),
        (b"[1]]", "ends at byte 2, but the text goes on"),
        (b"[1]\n{}", "ends at byte 2, but the text goes on"),
        (b"[1}", "closed by '}' at byte 2"),
    ],
)
def test_what_is_no_array_is_refused_with_its_place(body: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("'", ".")):
        split_array(body)


@pytest.mark.parametrize(
    ("body", "message"),
    [(b"[1]", "not a JSON object"), (b'{"a":1', "cut short"), (b"{NaN}", "without a name at byte 1")],
)
def test_what_is_no_object_is_refused_with_its_place(body: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split_object(body)


def test_depth_costs_the_neighbours_nothing() -> None:
    """A hundred thousand brackets: far beyond any recursive reader's stack."""
    deep = b"[" * 100_000 + b"]" * 100_000

    assert split_array(b"[1," + deep + b',{"a":2}]') == [b"1", deep, b'{"a":2}']
    assert split_object(b'{"deep":' + deep + b',"a":2}') == {"deep": deep, "a": b"2"}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("unit", [b'\\"', b'"', b"\\", b"[", b'{"a":', b'"\\'])
def test_no_input_makes_the_scanner_slow(unit: bytes) -> None:
    """A megabyte of each; a scanner that goes back would take minutes."""
    with pytest.raises(ValueError, match=r"cut short|goes on|parts"):
        split_array(b'["' + unit * (1_000_000 // len(unit)))


def test_the_elements_of_a_member_and_the_rest() -> None:
    body = b'{"events": [ {"a":1} ,NaN], "meta":{"b": 2}, "x":null}'

    assert split_member(body, "events") == ([b'{"a":1}', b"NaN"], {"meta": b'{"b": 2}', "x": b"null"})
    assert split_member(b'{"events":[1],"b":2}', "events") == ([b"1"], {"b": b"2"})


@pytest.mark.parametrize("body", [b"{}", b'{"events":null}', b'{"events": null ,}', b'{"x":1}'])
def test_a_missing_member_is_told_from_an_empty_one(body: bytes) -> None:
    assert split_member(body, "events")[0] is None
    assert split_member(b'{"events":[]}', "events")[0] == []


@pytest.mark.parametrize("body", [b'{"events":{}}', b'{"events":5,"x":NaN}', b'{"events":nullx}'])
def test_a_member_that_is_no_array_is_refused_by_name(body: bytes) -> None:
    with pytest.raises(ValueError, match="member 'events': not a JSON array"):
        split_member(body, "events")


@settings(deadline=None)
@given(VALUES, st.booleans())
def test_the_tolerant_reader_reads_json(value: object, ascii_only: bool) -> None:
    assert decode_tolerant(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


def test_the_tolerant_reader_takes_what_encoders_get_wrong() -> None:
    value = decode_tolerant(b'{"a":NaN,"b":-Infinity,"c":"\\ud800x\\udc00 \\ud83d\\ude00 \\\\ud800"}')

    assert isinstance(value, dict)
    assert math.isnan(value["a"])
    assert value["b"] == -math.inf
    assert value["c"] == "\ufffdx\ufffd \U0001f600 \\ud800"


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["\\ud83d", "\\ude00", "\\\\", "\\n", "x", "\\u0041", "\\uDBFF", "\\uDfFf"]), max_size=8)
)
def test_every_string_of_the_tolerant_reader_can_be_encoded(parts: list[str]) -> None:
    value = decode_tolerant(f'{{"{"".join(parts)}":"{"".join(parts)}"}}'.encode())

    assert isinstance(value, dict)
    for text in chain(value, value.values()):
        assert text.encode().decode() == text


@pytest.mark.parametrize(
    ("element", "message"),
    [
        (b'"\xff"', "not UTF-8 at byte 1"),
        (b'{"a":tru}', "not JSON: expecting value at character 5"),
        (b"", "not JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b"9" * 5000, "more digits than the interpreter converts"),
    ],
)
def test_the_tolerant_reader_says_why_it_refuses(element: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_tolerant(element)


@settings(deadline=None)
@given(st.binary(max_size=12))
def test_utf8_is_what_decodes(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError:
        assert not is_utf8(body)
    else:
        assert is_utf8(body)


def repeated(unit: bytes, count: int) -> bytes:
    return b"[" + b",".join([unit] * count) + b"]"


@pytest.mark.parametrize("unit", [b"{}", b"1", b"NaN", b'"\\ud800"', b"[[]]", b'{"a":[1,2]}', b"[}", b""])
@pytest.mark.parametrize("wrap", [b"%s", b'{"events":%s,"n":1}', b'{"events":%s,"n":NaN}'])
def test_a_body_has_as_many_events_as_it_may_and_no_more(unit: bytes, wrap: bytes) -> None:
    bound_count(wrap % repeated(unit, 50), 50)
    with pytest.raises(Rejected, match="more than 50 events: send smaller"):
        bound_count(wrap % repeated(unit, 52 if unit else 60), 50)


def test_many_values_are_no_events_until_there_are_absurdly_many() -> None:
    bound_count(repeated(b'{"a":[1,2,3,4,5,6]}', 50), 50)
    with pytest.raises(Rejected, match="more than 1000 values"):
        bound_count(b'[{"a":%s}]' % repeated(b"1", 1001), 50)


@pytest.mark.parametrize(
    ("text", "depth"),
    [(b"1", 0), (b"[]", 1), (b'{"a":[{}]}', 3), (b'{"a":"[[[["}', 1), (b"[[],[],[]]", 2), (rb'["\"[[["]', 1)],
)
def test_depth_is_that_of_brackets_outside_strings(text: bytes, depth: int) -> None:
    assert not deeper_than(text, depth)
    if depth:
        assert deeper_than(text, depth - 1)


@given(st.text(alphabet='[]{}": ,1\n', max_size=60), st.integers(1, 12))
def test_what_is_short_and_has_no_touching_brackets_cannot_nest_deep(text: str, levels: int) -> None:
    """What lets ingestion pass most events over: three bytes a level, two of them the brackets."""
    raw = text.encode()
    if len(raw) <= 3 * levels and b"[[" not in raw and _is_json(raw):
        assert not deeper_than(raw, levels)


@pytest.mark.parametrize("levels", range(1, 20))
@pytest.mark.parametrize("unit", ["[ {} ]", "[1,{}]", '{{"":{}}}', '[{{"":{}}}]', '{{"":[{}]}}'])
def test_the_shortest_nests_are_longer_than_the_bound(unit: str, levels: int) -> None:
    text = "1"
    while not deeper_than(text.encode(), levels):
        text = unit.format(text)
    assert len(text) > 3 * levels


def _is_json(raw: bytes) -> bool:
    try:
        json.loads(raw)
    except ValueError:
        return False
    return True
