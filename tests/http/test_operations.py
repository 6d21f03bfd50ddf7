"""What is said of our own endpoints is whole: a good answer, and words for all of them."""

import pytest

from router.http.operations import OPERATIONS, record

ALL = [(path, method) for path, methods in OPERATIONS.items() for method in methods]


@pytest.mark.parametrize(("path", "method"), ALL)
def test_an_operation_has_a_good_answer_and_words(path: str, method: str) -> None:
    operation = OPERATIONS[path][method]
    assert path.startswith("/")
    assert method in {"GET", "POST", "DELETE"}
    assert any(status < 300 for status in operation.answers)
    assert operation.summary
    assert all(meaning for meaning, _ in (*operation.answers.values(), *operation.query.values()))


def test_what_is_not_named_as_required_may_be_left_out() -> None:
    assert record(a={})["required"] == ["a"]
    assert record("a", a={}, b={})["required"] == ["a"]
