"""Gathering faults: all of them, in the order of the document, each with its place and without a secret."""

import datetime
from typing import Any

import pytest

from router.config.reader import ConfigurationError, Document, Node, Problem, did_you_mean, kind, spell
from router.config.secret import SecretSource


def document(root: dict[str, Any]) -> Document:
    return Document(root, SecretSource())


def lines(of: Document) -> list[str]:
    return [str(problem) for problem in of.problems()]


def refuse(node: Node) -> str:
    raise ValueError(f"bad {node.value}")


def test_every_fault_of_a_table_is_noted_and_the_good_values_are_kept() -> None:
    of = document({"one": "a", "two": 2, "tree": 3, "four": "d"})

    found = of.root.table({"one": Node.text, "two": refuse, "three": refuse, "four": Node.text}, required=("five",))

    assert found == {"one": "a", "four": "d"}
    assert lines(of) == ["two: bad 2", 'tree: unknown key; did you mean "three"?', "five: is missing"]


def test_faults_come_in_the_order_of_the_document_however_they_were_found() -> None:
    of = document({"b": [{"y": 1, "x": 2}, {}], "a": 1})
    for place in [("a",), ("b", 1, "missing"), ("b", 0, "x"), ("b", 0, "y"), ("b",)]:
        of.fault(place, "bad")

    assert lines(of) == ["b: bad", "b[0].y: bad", "b[0].x: bad", "b[1].missing: bad", "a: bad"]


def test_elements_at_fault_are_left_out_and_named_by_index() -> None:
    of = document({"keys": ["a", 1, "", "b"]})

    assert of.root.child("keys").each(Node.text) == ("a", "b")
    assert lines(of) == ["keys[1]: must be a string, not an integer", "keys[2]: is empty"]


def test_a_table_and_an_array_are_asked_for_by_name() -> None:
    of = document({"value": "x"})

    with pytest.raises(ValueError, match="must be a table, not a string"):
        of.root.child("value").table({})
    with pytest.raises(ValueError, match=r'must be an array, as in \["…"\], not a string'):
        of.root.child("value").each(Node.text)


def test_an_attempt_that_fails_is_a_fault_at_its_place() -> None:
    of = document({"value": 7})

    assert of.root.child("value").attempt(refuse) is None
    assert lines(of) == ["value: bad 7"]


def test_the_second_of_two_equal_things_is_told_where_the_first_is() -> None:
    of = document({"things": ["x", "x"]})
    first, second = (of.root.child("things").child(index) for index in (0, 1))

    first.unique("thing", "x")
    first.unique("other", "x")

    with pytest.raises(ValueError, match=r"the same thing as things\[0\]"):
        second.unique("thing", "x")


def test_a_hidden_text_is_in_no_fault() -> None:
    """Neither in a message nor in a place; the longest goes first, so that nothing is left of it."""
    of = document({"hunter2": 1})
    for secret in ("hunter2", "hunter", "x"):
        of.hide(secret)
    of.fault(("hunter2",), "hunter2 and x")

    (fault,) = lines(of)

    assert fault == "[redacted:f52fbd32]: [redacted:f52fbd32] and x"


def test_a_node_does_not_show_its_value() -> None:
    assert "hunter2" not in repr(document({"key": "hunter2"}).root.child("key"))


def test_an_error_says_all_its_faults() -> None:
    error = ConfigurationError(Problem(place, "bad") for place in ("a", "b"))

    assert str(error) == "a: bad\nb: bad"
    assert error.faults == (Problem("a", "bad"), Problem("b", "bad"))


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (("environment", 1, "sdk_keys", 0), "environment[1].sdk_keys[0]"),
        (("a b", "c\n"), '"a b"."c\\n"'),
        (("",), '""'),
        (("x" * 100,), '"' + "x" * 60 + '"'),
    ],
)
def test_a_place_is_spelled_as_toml_would(place: tuple[str | int, ...], expected: str) -> None:
    assert expected == spell(place)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "a boolean"),
        (1, "an integer"),
        (1.0, "a float"),
        ("", "a string"),
        ([], "an array"),
        ({}, "a table"),
        (datetime.date(2026, 1, 1), "a date or time"),
        (datetime.time(), "a date or time"),
    ],
)
def test_types_are_called_what_toml_calls_them(value: object, expected: str) -> None:
    assert expected == kind(value)


def test_a_word_far_from_all_others_gets_no_hint() -> None:
    assert did_you_mean("retention", ["retention_age", "key"]) == '; did you mean "retention_age"?'
    assert did_you_mean("zzz", ["retention_age", "key"]) == ""
