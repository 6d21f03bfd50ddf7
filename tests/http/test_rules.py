"""Which rule holds for a path."""

import pytest

from router.dialects.launchdarkly import LaunchDarkly
from router.dialects.statsig import Statsig
from router.http import rules
from router.http.rules import ADMIN, OPEN, OPERATOR, SDK, STREAM, Kind

TABLE = {"/a": ADMIN, "/a/*": OPERATOR, "/a/b/*": STREAM, "/a/b/c": OPEN}


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/a", ADMIN), ("/a/x", OPERATOR), ("/a/x/y", OPERATOR), ("/a/b/x", STREAM), ("/a/b/c", OPEN), ("/a/b", OPERATOR)],
)
def test_the_longest_entry_that_fits_holds(path: str, expected: rules.Rule) -> None:
    assert rules.rule_of(path, TABLE) is expected


@pytest.mark.parametrize("path", ["/", "/b", "/ab", "/ab/c"])
def test_a_path_without_an_entry_has_no_rule(path: str) -> None:
    with pytest.raises(LookupError, match="write who may"):
        rules.rule_of(path, TABLE)


def test_a_dialects_paths_need_a_key_and_what_is_served_elsewhere_needs_none() -> None:
    found = rules.of_dialects([LaunchDarkly(), Statsig(("/my/events",))])

    assert found["/bulk"] is found["/my/events"] is SDK
    assert {rule.kind for rule in found.values()} == {Kind.SDK, Kind.OPEN}


def test_no_path_of_a_dialect_is_one_of_ours() -> None:
    assert not rules.of_dialects([LaunchDarkly(), Statsig()]).keys() & rules.RULES.keys()
