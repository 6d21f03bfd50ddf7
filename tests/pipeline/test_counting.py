"""What counts as what, event by event and against a brute-force count."""

import json
from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.pipeline.counting import LONGEST_FLAG, Sighting, Tally, canonical
from router.records import Entry
from router.store.rollups import EVALUATION, EXPOSURE, Seen, Variation
from tests.pipeline import traffic
from tests.pipeline.traffic import START, exposure, feature, launchdarkly, statsig, summary

MINUTE = START // 60_000


def counted(*entries: Entry) -> Tally:
    tally = Tally()
    for entry in entries:
        tally.add(entry)
    return tally


def totals(tally: Tally) -> dict[tuple[str, int], int | float]:
    """By flag and minute."""
    return {key: sum(amount.total for amount in row.values()) for key, row in tally.counts.items()}


@given(st.lists(traffic.entries, max_size=12))
def test_counts_equal_a_brute_force_count(log: list[Entry]) -> None:
    evaluations: Counter[tuple[str, bytes]] = Counter()
    exposed: dict[tuple[str, bytes], list[int]] = defaultdict(lambda: [0, 0])
    for (flag, _), row in counted(*log).counts.items():
        for variation, amount in row.items():
            if variation.of == EVALUATION:
                assert amount.events == amount.total
                evaluations[flag, variation.value] += amount.events
            else:
                pair = exposed[flag, variation.value]
                pair[0] += amount.events
                pair[1] += int(amount.total)
    assert (evaluations, dict(exposed)) == traffic.brute_force(log)


@given(st.lists(traffic.entries, max_size=6))
def test_single_events_go_to_their_own_second(log: list[Entry]) -> None:
    expected: Counter[tuple[str, int]] = Counter()
    for entry in log:
        alone = entry.facts.get("unsummarized") or entry.facts.get("schema") == 2
        for event in entry.events:
            if event.kind == "evaluation" and alone:
                expected[event.flags[0], event.time // 1000] += 1
    singles = [entry._replace(events=tuple(e for e in entry.events if e.kind != "summary")) for entry in log]
    found: Counter[tuple[str, int]] = Counter()
    for (flag, minute), row in counted(*singles).counts.items():
        for variation, amount in row.items():
            if variation.of == EVALUATION:
                for second, number in amount.seconds.items():
                    found[flag, minute * 60 + second] += int(number)
    assert found == expected


def test_a_tracked_evaluation_is_not_counted_beside_its_summary() -> None:
    events = [feature("a", START, 1, 7, "u-1"), summary(START, START + 500, {("a", 1, 7): 1})]
    assert totals(counted(launchdarkly(events, schema=4))) == {("a", MINUTE): 1}


@pytest.mark.parametrize("facts", [{"schema": 1}, {"schema": 2}, {"schema": 4, "unsummarized": True}, {}], ids=str)
def test_single_evaluations_count_where_no_summary_covers_them(facts: dict[str, object]) -> None:
    debug = feature("a", START, 1, 7, "u-1") | {"kind": "debug"}
    entry = launchdarkly([feature("a", START, 1, 7, "u-1"), debug], **facts)
    assert totals(counted(entry)) == {("a", MINUTE): 1}


def test_a_flag_that_is_left_out_of_summaries_is_left_out_here() -> None:
    entry = launchdarkly([feature("a", START, 1, 7, "u-1", excludeFromSummaries=True)], unsummarized=True)
    assert counted(entry).counts == {}


def test_a_summary_is_spread_over_its_minutes() -> None:
    entry = launchdarkly([summary(START + 50_000, START + 70_000, {("a", 0, 1): 1000})], schema=4)
    assert totals(counted(entry)) == {("a", MINUTE): 500, ("a", MINUTE + 1): 500}


@given(st.integers(0, 120_000), st.integers(0, 7200_000), st.integers(1, 1000))
def test_spreading_a_summary_loses_nothing(start: int, length: int, count: int) -> None:
    entry = launchdarkly([summary(START + start, START + start + length, {("a", 0, 1): count})], schema=4)
    tally = counted(entry)
    assert sum(totals(tally).values()) == count
    seconds = [
        minute * 60 + second
        for (_, minute), row in tally.counts.items()
        for amount in row.values()
        for second in amount.seconds
    ]
    assert min(seconds) >= (START + start) // 1000
    assert max(seconds) <= (START + start + length) // 1000


def test_a_summary_that_says_no_window_counts_where_it_ends() -> None:
    told = summary(START, START, {("a", 0, 1): 3})
    del told["startDate"]
    assert totals(counted(launchdarkly([told], schema=4))) == {("a", MINUTE): 3}


def test_what_is_too_old_does_not_count() -> None:
    tally = Tally(oldest=START // 1000 + 60)
    tally.add(launchdarkly([summary(START, START + 500, {("a", 0, 1): 3})], schema=4))
    tally.add(launchdarkly([feature("a", START, 1, 7, "u-1")], schema=1))
    tally.add(statsig([exposure("a", START, True, "u-1", None)]))
    assert tally.counts == {}


def test_of_a_summary_that_began_too_early_the_rest_counts() -> None:
    tally = Tally(oldest=START // 1000 + 60)
    tally.add(launchdarkly([summary(START + 50_000, START + 70_000, {("a", 0, 1): 1000})], schema=4))
    assert totals(tally) == {("a", MINUTE + 1): 500}


def test_exposures_are_weighed_apart_from_evaluations() -> None:
    entry = statsig([exposure("a", START, True, "u-1", None), exposure("a", START, True, "u-2", 10)])
    row = counted(entry).counts["a", MINUTE]
    amount = row[Variation(EXPOSURE, None, None, b"true")]
    assert (amount.events, amount.total) == (2, 11)


def test_a_rate_that_is_not_on_does_not_weigh() -> None:
    event = exposure("a", START, True, "u-1", 10)
    event["statsigMetadata"]["samplingMode"] = "shadow"
    (amount,) = counted(statsig([event])).counts["a", MINUTE].values()
    assert amount.total == 1


def test_contexts_of_single_events_are_gathered_by_variation_and_version() -> None:
    events = [feature("a", START, 1, 7, user) for user in ("u-1", "u-2", "u-1")]
    tally = counted(launchdarkly([*events, feature("a", START, None, 7, "u-3")], schema=4))
    assert tally.contexts["a", MINUTE] == {
        Seen(7, 1, b""): {"user:u-1": None, "user:u-2": None},
        Seen(7, None, b'"red"'): {"user:u-3": None},
    }


def test_a_context_of_several_kinds_is_one() -> None:
    both = {"kind": "multi", "user": {"key": "u"}, "org": {"key": "o"}}
    tally = counted(launchdarkly([feature("a", START, 1, 7, "u") | {"context": both}], schema=4))
    ((_, names),) = tally.contexts["a", MINUTE].items()
    assert list(names) == ["org:o\0user:u"]


def test_newer_versions_are_sighted_once_and_in_order() -> None:
    events = [feature("a", START + place, 1, version, "u") for place, version in enumerate((3, 3, 2, 5, 5))]
    assert counted(launchdarkly(events, schema=4)).news == [Sighting("a", 3, START), Sighting("a", 5, START + 3)]


def test_a_summary_with_two_versions_tells_roughly_when_the_newer_one_began() -> None:
    entry = launchdarkly([summary(START, START + 4000, {("a", 0, 1): 75, ("a", 1, 2): 25})], schema=4)
    assert counted(entry).news == [Sighting("a", 1, START), Sighting("a", 2, START + 3000)]


def test_experiments_are_those_that_evaluations_or_exposures_are_in() -> None:
    trial = feature("a", START, 1, 7, "u", reason={"kind": "FALLTHROUGH", "inExperiment": True})
    config = {
        "eventName": "statsig::config_exposure", "user": {"userID": "u"}, "time": START,
        "metadata": {"config": "price", "ruleID": "2RamGs"},
    }  # fmt: skip
    fixed = json.loads(json.dumps(config).replace("2RamGs", "default").replace("price", "plain"))
    layer = {
        "eventName": "statsig::layer_exposure", "user": {"userID": "u"}, "time": START,
        "metadata": {"config": "home", "ruleID": "7B", "allocatedExperiment": "hero", "parameterName": "t"},
    }  # fmt: skip
    tally = counted(launchdarkly([trial], schema=4), statsig([config, fixed, layer]))
    assert list(tally.experiments) == [("a", "a"), ("price", "price"), ("home", "hero")]


def test_applications_are_told_by_flag() -> None:
    entry = launchdarkly([feature("a", START, 1, 7, "u")], schema=4, application="shop")
    assert counted(entry, launchdarkly([feature("a", START, 1, 7, "u")], schema=4)).traffic == {
        "a": {"shop": MINUTE, None: MINUTE}
    }


@pytest.mark.parametrize(
    ("value", "spelling"),
    [
        (b"1.0", b"1"),
        (b'{"b":1, "a":[ 1 ]}', b'{"a":[1],"b":1}'),
        (b'"\\u00e9"', '"é"'.encode()),
        (b"1e400", b"null"),
        (b"nonsense", b"null"),
        (b'"' + b"x" * 2000 + b'"', b'"[2002 bytes, sha256 '),
    ],
)
def test_values_have_one_spelling(value: bytes, spelling: bytes) -> None:
    assert canonical(value).startswith(spelling)


@pytest.mark.parametrize(
    "event",
    [
        {"kind": "summary", "features": {"a": 5}},
        {"kind": "summary", "features": {"a": {"counters": [{"count": "many"}]}}},
        {"kind": "summary"},
        {"kind": "summary", "features": {"a" * (LONGEST_FLAG + 1): {"counters": [{"count": 1}]}}},
        {"kind": "summary", "features": {"a": {"counters": [{"count": -5}, {"count": 0}]}}},
        {"kind": "feature", "key": "a" * (LONGEST_FLAG + 1)},
        {"kind": "feature"},
        {"kind": "custom", "key": "a"},
    ],
    ids=lambda event: str(event)[:40],
)
def test_what_is_not_as_documented_counts_as_nothing(event: dict[str, object]) -> None:
    assert counted(launchdarkly([event])).counts == {}
