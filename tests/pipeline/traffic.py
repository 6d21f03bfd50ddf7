"""Random traffic as it stands in a log, and what it comes to by a count that shares nothing with the router's."""

import json
from collections import Counter, defaultdict
from typing import Any

from hypothesis import strategies as st

from router.changes import Change, as_attributes, change_id
from router.dialects import launchdarkly_events, statsig_events
from router.dialects.statsig_times import Timing
from router.names import EnvironmentName
from router.records import Entry, Event

NAME = EnvironmentName("default", "production")
START = 1_767_225_600_000  # unix ms, the beginning of an hour
FLAGS = ("a", "b", "naïve/flag", "c\0d")
VALUES = ("red", "blue", True, {"y": 1, "x": [1.5, None]})


def launchdarkly(events: list[dict[str, Any]], **facts: object) -> Entry:
    reading = launchdarkly_events.read(json.dumps(events).encode(), START + 3600_000)
    return Entry(START + 3600_000, "launchdarkly", "bulk", dict(facts), tuple(reading.events))


def statsig(events: list[dict[str, Any]]) -> Entry:
    reading = statsig_events.Reading(Timing(START + 3600_000))
    reading.add_elements([json.dumps(event).encode() for event in events])
    return Entry(START + 3600_000, "statsig", "log_event", {}, tuple(reading.events))


def change(flag: str, time: int, number: int, version: int | None = None) -> Entry:
    told = Change(
        change_id(NAME, str(number)), flag, "updated_rules", time, "…", "launchdarkly", audit_id=str(number),
        version=version,
    )  # fmt: skip
    event = Event("change", time, "updateRules", (flag,), (), as_attributes(told), b"{}")
    return Entry(START + 3600_000, "launchdarkly", "webhook", {}, (event,))


def feature(flag: str, time: int, index: int | None, version: int, context: str, **more: object) -> dict[str, Any]:
    event = {
        "kind": "feature", "creationDate": time, "key": flag, "version": version,
        "value": VALUES[index or 0], "default": "red", "context": {"kind": "user", "key": context},
    }  # fmt: skip
    if index is not None:
        event["variation"] = index
    return event | more


def summary(start: int, end: int, counts: dict[tuple[str, int, int], int]) -> dict[str, Any]:
    features: dict[str, Any] = {}
    for (flag, index, version), count in counts.items():
        counters = features.setdefault(flag, {"default": "red", "contextKinds": ["user"], "counters": []})["counters"]
        counters.append({"variation": index, "version": version, "value": VALUES[index], "count": count})
    return {"kind": "summary", "startDate": start, "endDate": end, "features": features}


def exposure(gate: str, time: int, value: bool, user: str, rate: int | None) -> dict[str, Any]:
    event: dict[str, Any] = {
        "eventName": "statsig::gate_exposure", "user": {"userID": user}, "time": time,
        "metadata": {"gate": gate, "gateValue": json.dumps(value), "ruleID": "r"},
    }  # fmt: skip
    if rate is not None:
        event["statsigMetadata"] = {"samplingRate": rate, "samplingMode": "on"}
    return event


times = st.integers(START - 20 * 60_000, START + 20 * 60_000)
flags = st.sampled_from(FLAGS)
indexes = st.integers(0, len(VALUES) - 1)
versions = st.integers(1, 3)
contexts = st.integers(0, 40).map(lambda number: f"u-{number}")
features = st.builds(feature, flags, times, st.one_of(st.none(), indexes), versions, contexts)
summaries = st.builds(
    lambda start, length, counts: summary(start, start + length, counts),
    times,
    st.one_of(st.integers(0, 900), st.integers(1000, 30_000), st.integers(60_000, 400_000)),
    st.dictionaries(st.tuples(flags, indexes, versions), st.integers(1, 500), min_size=1, max_size=6),
)
exposures = st.builds(exposure, flags, times, st.booleans(), contexts, st.sampled_from((None, 1, 10)))
entries = st.one_of(
    st.builds(lambda events: launchdarkly(events, schema=4), st.lists(st.one_of(features, summaries), max_size=6)),
    st.builds(lambda events: launchdarkly(events, schema=2), st.lists(features, max_size=6)),
    st.builds(
        lambda events: launchdarkly(events, schema=4, unsummarized=True, application="shop"),
        st.lists(features, max_size=6),
    ),
    st.builds(statsig, st.lists(exposures, min_size=1, max_size=6)),
    st.builds(change, flags, times, st.integers(0, 5)),
)


def spelled(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def brute_force(log: list[Entry]) -> tuple[Counter[tuple[str, bytes]], dict[tuple[str, bytes], list[int]]]:
    """(evaluations by flag and value; exposures and their weight by flag and value)."""
    evaluations: Counter[tuple[str, bytes]] = Counter()
    exposed: dict[tuple[str, bytes], list[int]] = defaultdict(lambda: [0, 0])
    for entry in log:
        alone = entry.facts.get("unsummarized") or entry.facts.get("schema") == 2
        for stored in entry.events:
            event = json.loads(stored.raw)
            if event.get("kind") == "summary":
                for flag, told in event["features"].items():
                    for counter in told["counters"]:
                        evaluations[flag, spelled(counter["value"])] += counter["count"]
            elif event.get("kind") == "feature" and alone:
                evaluations[event["key"], spelled(event["value"])] += 1
            elif event.get("eventName") == "statsig::gate_exposure":
                pair = exposed[event["metadata"]["gate"], event["metadata"]["gateValue"].encode()]
                pair[0] += 1
                pair[1] += event.get("statsigMetadata", {}).get("samplingRate", 1)
    return evaluations, dict(exposed)
