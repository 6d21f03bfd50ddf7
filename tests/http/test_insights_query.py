"""Parameters of the insights endpoints: defaults, limits, and every fault at once."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.http.insights_query import (
    DAY,
    MAX_LIMIT,
    MINUTE,
    MOST_STEPS,
    WEEK,
    Invalid,
    evaluations_query,
    events_query,
)

NOW = 1_767_225_600_000
NEEDED = {"projectKey": "p", "environmentKey": "e"}


def faults(given_: dict[str, str]) -> list[str]:
    with pytest.raises(Invalid) as caught:
        events_query(given_, NOW)
    return [attribute for attribute, _ in caught.value.errors]


def test_defaults() -> None:
    query = events_query(NEEDED, NOW)
    assert (query.first, query.last, query.limit) == (NOW - WEEK, NOW, 20)
    assert (query.everywhere, query.expand, query.experiments, query.size) == (True, False, None, None)
    assert (query.applications, query.query, query.after, query.before) == (frozenset(), "", None, None)


def test_all_of_them() -> None:
    query = events_query(
        NEEDED
        | {
            "applicationKey": "a, b,,", "query": "ChecK", "impactSize": "medium", "hasExperiments": "TRUE",
            "global": "exclude", "expand": "experiments", "limit": "100", "from": "5", "to": "7", "after": "x",
        },
        NOW,
    )  # fmt: skip
    assert (query.applications, query.query, query.size) == (frozenset({"a", "b"}), "check", "medium")
    assert (query.experiments, query.everywhere, query.expand, query.limit) == (True, False, True, 100)
    assert (query.first, query.last, query.after) == (5, 7, "x")


def test_empty_ones_are_absent() -> None:
    names = ("query", "impactSize", "hasExperiments", "global", "expand", "limit", "from", "to", "after", "before")
    assert events_query(NEEDED | dict.fromkeys(names, ""), NOW).first == events_query(NEEDED, NOW).first


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"), ("limit", str(MAX_LIMIT + 1)), ("limit", "-1"), ("limit", "ten"), ("limit", "1.5"),
        ("limit", "9" * 30), ("from", "yesterday"), ("to", "1e3"), ("impactSize", "Large"), ("global", "yes"),
        ("hasExperiments", "1"), ("expand", "members"), ("expand", "experiments,members"), ("limit", "٣"),
    ],
)  # fmt: skip
def test_each_fault_names_its_attribute(name: str, value: str) -> None:
    assert faults(NEEDED | {name: value}) == [name]


def test_faults_come_all_at_once() -> None:
    given_ = {"limit": "0", "global": "x", "from": "9", "to": "8", "after": "a", "before": "b"}
    assert faults(given_) == ["projectKey", "environmentKey", "limit", "from", "global", "before"]


def test_a_week_before_a_given_end() -> None:
    assert events_query(NEEDED | {"to": str(2 * WEEK)}, NOW).first == WEEK
    assert events_query(NEEDED | {"to": "5"}, NOW).first == 0


def test_a_link_keeps_the_query_and_no_credential() -> None:
    query = events_query(NEEDED | {"query": "a b&c", "after": "x", "token": "api-secret"}, NOW)
    assert dict(parse_qsl(query.link(before="y"))) == NEEDED | {"query": "a b&c", "before": "y"}


@given(st.dictionaries(st.sampled_from((*NEEDED, "limit", "from", "to", "global", "expand", "query")), st.text()))
def test_whatever_is_given_is_read_or_refused(given_: dict[str, str]) -> None:
    try:
        query = events_query(given_, NOW)
    except Invalid as error:
        assert error.errors  # noqa: PT017 - a refusal is as good, and names the attributes
    else:
        assert query.first <= query.last
        assert 1 <= query.limit <= MAX_LIMIT


def test_a_day_by_default_in_steps_that_fit() -> None:
    query = evaluations_query({}, NOW)
    assert (query.first, query.last, query.step) == (NOW - DAY, NOW, MINUTE)


@pytest.mark.parametrize("days", [1, 2, 7, 90, 4000])
def test_a_step_is_found_for_any_range(days: int) -> None:
    query = evaluations_query({"from": str(NOW - days * DAY), "to": str(NOW)}, NOW)
    assert (query.last - query.first) / query.step <= MOST_STEPS + 1
    assert query.first % query.step == 0
    assert query.first <= NOW - days * DAY


def test_steps_and_times_in_words() -> None:
    query = evaluations_query({"from": "2026-01-01T00:00:00Z", "to": str(NOW + DAY), "step": "1h30m"}, NOW)
    assert (query.step, query.last) == (90 * MINUTE, NOW + DAY)


@pytest.mark.parametrize(
    ("given_", "name"),
    [
        ({"step": "90s"}, "step"), ({"step": "0"}, "step"), ({"step": "often"}, "step"), ({"from": "then"}, "from"),
        ({"to": "-5"}, "to"), ({"from": str(NOW + 1)}, "from"), ({"from": "0", "step": "1m"}, "step"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_answered_is_refused(given_: dict[str, str], name: str) -> None:
    with pytest.raises(Invalid) as caught:
        evaluations_query(given_, NOW)
    assert [attribute for attribute, _ in caught.value.errors] == [name]
