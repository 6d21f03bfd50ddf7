"""What a filter lets through, against the plain meaning of its words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.pipeline.filters import EVERYTHING, Filter
from router.records import Event, Kind

EVENT = Event("summary", 1, "summary", ("checkout", "banner"), ("user:a", "org:b"), None, b"{}")


def only(**fields: str) -> Filter:
    return Filter(**{name: frozenset(value.split(",")) for name, value in fields.items()})


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (EVERYTHING, True),
        (only(kinds="summary"), True),
        (only(kinds="custom,exposure"), False),
        (only(flags="banner"), True),
        (only(flags="bann"), False),
        (only(contexts="org:b"), True),
        (only(contexts="b"), False),
        (only(names="summary", flags="checkout", dialects="launchdarkly"), True),
        (only(flags="checkout", dialects="statsig"), False),
    ],
)
def test_every_field_must_match_by_one_member(wanted: Filter, expected: bool) -> None:
    assert wanted.wants("launchdarkly", EVENT) is expected


LETTERS = st.sets(st.sampled_from("abc"), max_size=3)


@given(st.none() | LETTERS, LETTERS, st.none() | st.sets(st.sampled_from(list(Kind))), st.sampled_from(list(Kind)))
def test_any_filter(flags: set[str] | None, of: set[str], kinds: set[Kind] | None, kind: Kind) -> None:
    wanted = Filter(
        kinds=None if kinds is None else frozenset(kinds), flags=None if flags is None else frozenset(flags)
    )
    event = Event(kind, 1, "n", tuple(of), (), None, b"{}")
    expected = (flags is None or bool(flags & of)) and (kinds is None or kind in kinds)

    assert wanted.wants("d", event) is expected
    assert wanted.everything is (flags is None and kinds is None)
