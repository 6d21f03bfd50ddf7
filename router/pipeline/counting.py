"""What of a stored event counts as what: a pure fold from the log's entries to what is to be added to the rows.

Evaluations come from summaries alone, since an SDK counts a tracked evaluation in its summary too; single evaluations
count where no summary covers them: schemas 1 and 2, and posts marked as not summarised (protocols/launchdarkly.md 2.6).
Exposures are counted apart, weighed by their sampling rate, since their senders leave repeated ones out
(protocols/statsig-and-others.md 4.3, 6.1). Everything goes to the second in which it happened, however late it comes.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, TypeAlias

import msgspec

from router.changes import Change, of_attributes
from router.records import Entry, Event, Kind
from router.store.rollups import EVALUATION, EXPOSURE, MINUTE, Amount, Row, Seen, Variation

LONGEST_FLAG: Final = 256  # characters, LaunchDarkly's limit; longer keys are no flags
LONGEST_VALUE: Final = 1024  # bytes of JSON that are kept of a value; of a longer one, what tells it from others
SUMMARISED: Final = 3  # first schema whose SDKs send summaries
BY_SECOND: Final = 60  # seconds; a longer summary is spread over minutes instead
LONGEST_SUMMARY: Final = 24 * 3600  # seconds; of a longer one, all of it counts in the last day
FIXED_RULES: Final = frozenset(
    {"", "default", "disabled", "override", "prestart", "layerAssignment", "inlineTargetingRules"}
)
"""Rules of a config that are no allocation to a group of an experiment (protocols/statsig-and-others.md 2.5)."""

_EVALUATION: Final = Kind.EVALUATION.value
_SUMMARY: Final = Kind.SUMMARY.value
_EXPOSURE: Final = Kind.EXPOSURE.value
_CHANGE: Final = Kind.CHANGE.value
_NULL: Final = b"null"


class _Evaluated(msgspec.Struct, gc=False, rename="camel"):
    value: msgspec.Raw = msgspec.Raw(_NULL)
    exclude_from_summaries: Any = None


class _Counter(msgspec.Struct, gc=False):
    count: int | float = 0
    value: msgspec.Raw = msgspec.Raw(_NULL)
    variation: int | float | None = None
    version: int | float | None = None


class _Feature(msgspec.Struct, gc=False):
    counters: list[_Counter] = []


class _Summary(msgspec.Struct, gc=False, rename="camel"):
    start_date: int | float | None = None
    end_date: int | float | None = None
    features: dict[str, _Feature] = {}


_EVALUATED: Final = msgspec.json.Decoder(_Evaluated)
_SUMMARIES: Final = msgspec.json.Decoder(_Summary)


@dataclass(frozen=True, slots=True)
class Sighting:
    """The first evaluation of a flag with a version greater than any before it in the same tally; time: unix ms."""

    flag: str
    version: int
    time: int


_Spot: TypeAlias = tuple[str, int, int | None, int, str | None]
"""What single evaluations have in common that differ in their context alone: flag, minute, version, variation and
application. All else that one of them is counted as, the first was already."""


@dataclass(slots=True)
class Tally:
    """What entries come to. Minutes are since 1970.

    oldest: events of before this second do not count: their rows are gone.
    counts: by flag and minute. contexts: the same for single events, in the order of the log. news: sightings and
    changes in the order of the log. traffic: by flag, the last minute of each application, None where it has none.
    experiments: by flag and key, the minutes with traffic. unreadable: events whose JSON is not as documented.
    """

    oldest: int = 0
    counts: dict[tuple[str, int], Row] = field(default_factory=dict)
    contexts: dict[tuple[str, int], dict[Seen, dict[str, None]]] = field(default_factory=dict)
    news: list[Sighting | Change] = field(default_factory=list)
    traffic: dict[str, dict[str | None, int]] = field(default_factory=dict)
    experiments: dict[tuple[str, str], dict[int, None]] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    events: int = 0
    unreadable: int = 0
    _spots: dict[_Spot, dict[str, None]] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Count the events of one entry."""
        facts = entry.facts
        application = facts.get("application")
        if type(application) is not str:
            application = None
        schema = facts.get("schema")
        alone = "unsummarized" in facts or type(schema) is not int or schema < SUMMARISED
        for event in entry.events:
            kind = event[0]
            if kind == _EVALUATION:
                self._evaluation(event, application, alone)
            elif kind == _SUMMARY:
                if entry.dialect == "launchdarkly":
                    self._summary(event, application)
            elif kind == _EXPOSURE:
                self._exposure(event)
            elif kind == _CHANGE and (change := of_attributes(event[5] or {})) is not None:
                self.news.append(change)
        self.events += len(entry.events)

    def drop(self, flags: Collection[str]) -> int:
        """Forget these flags; returns how many evaluations and exposures of theirs had been counted."""
        dropped = 0
        for key in [key for key in self.counts if key[0] in flags]:
            dropped += sum(amount.events for amount in self.counts.pop(key).values())
        for key in [key for key in self.contexts if key[0] in flags]:
            del self.contexts[key]
        for pair in [pair for pair in self.experiments if pair[0] in flags]:
            del self.experiments[pair]
        for flag in flags:
            del self.traffic[flag]
        self.news = [news for news in self.news if isinstance(news, Change) or news.flag not in flags]
        return dropped

    def _evaluation(self, event: Event, application: str | None, alone: bool) -> None:
        flags = event[3]
        second = event[1] // 1000
        if not flags or second < self.oldest or len(flags[0]) > LONGEST_FLAG:
            return
        flag = flags[0]
        minute = second // MINUTE
        attributes = event[5]
        index: int | None = None
        version: int | None = None
        if attributes is not None:
            index = attributes.get("variation")
            version = attributes.get("version")
            if "in_experiment" in attributes:
                self.experiments.setdefault((flag, flag), {})[minute] = None
        contexts = event[4]
        counted = alone and event[2] == "feature"
        spot = None
        if index is not None and not counted and len(contexts) == 1:
            spot = (flag, minute, version, index, application)
            names = self._spots.get(spot)
            if names is not None:
                names[contexts[0]] = None
                return
        value = b""
        if counted or index is None:
            try:
                told = _EVALUATED.decode(event[6])
            except (msgspec.DecodeError, RecursionError):
                self.unreadable += 1
                return
            value = canonical(bytes(told.value))
            if counted and told.exclude_from_summaries is not True:
                self._count(flag, minute, second, Variation(EVALUATION, index, version, value), 1)
        known = self.traffic.get(flag)
        if known is None or known.get(application, 0) < minute:
            self._traffic(flag, application, minute)
        key = (flag, minute)
        seen = self.contexts.get(key)
        if seen is None:
            seen = self.contexts[key] = {}
        # A fallback has no index, so there its value tells what was served.
        which = Seen(version, index, b"" if index is not None else value)
        names = seen.get(which)
        if names is None:
            names = seen[which] = {}
        if spot is not None:
            self._spots[spot] = names
        if len(contexts) == 1:
            names[contexts[0]] = None
        elif contexts:
            names["\0".join(sorted(contexts))] = None
        if version is not None and version > self.newest.get(flag, -1):
            self._sight(flag, version, event[1])

    def _summary(self, event: Event, application: str | None) -> None:
        try:
            told = _SUMMARIES.decode(event[6])
        except (msgspec.DecodeError, RecursionError):
            self.unreadable += 1
            return
        end = event[1]
        length = 0
        if told.start_date is not None and told.end_date is not None:
            length = min(max(0, int(told.end_date) - int(told.start_date)), LONGEST_SUMMARY * 1000)
        minutes = _cells(end - length, end)
        for flag, feature in told.features.items():
            if not feature.counters or len(flag) > LONGEST_FLAG:
                continue
            self._traffic(flag, application, minutes[-1][0])
            rows = [self.counts.setdefault((flag, minute), {}) for minute, _ in minutes]
            for counter in feature.counters:
                count = _whole(counter.count)
                if count is None or count <= 0:
                    continue
                number, version = _whole(counter.variation), _whole(counter.version)
                _spread(count, Variation(EVALUATION, number, version, canonical(bytes(counter.value))), minutes, rows)
            for (minute, _), row in zip(minutes, rows, strict=True):
                if not row or (minute + 1) * MINUTE <= self.oldest:
                    del self.counts[flag, minute]
            self._sight_all(flag, feature.counters, end - length, end)

    def _exposure(self, event: Event) -> None:
        second = event[1] // 1000
        flags = event[3]
        attributes = event[5]
        if not flags or attributes is None or second < self.oldest or len(flags[0]) > LONGEST_FLAG:
            return
        flag = flags[0]
        minute = second // MINUTE
        variant = attributes.get("variant", "")
        if event[2] == "statsig::gate_exposure" and variant in ("true", "false"):
            value = variant.encode()
        else:
            value = canonical(msgspec.json.encode(variant))
        weight = attributes["rate"] if attributes.get("mode") == "on" and "rate" in attributes else 1
        variation = Variation(EXPOSURE, None, None, value)
        self._count(flag, minute, second, variation, weight)
        self._traffic(flag, None, minute)
        seen = self.contexts.setdefault((flag, minute), {}).setdefault(Seen(None, None, value), {})
        if contexts := event[4]:
            seen[contexts[0]] = None
        self._experiment(event, flag, minute, attributes)

    def _experiment(self, event: Event, flag: str, minute: int, attributes: dict[str, Any]) -> None:
        name = event[2]
        key = attributes.get("experiment")
        if key is None:
            allocated = name == "statsig::config_exposure" and attributes.get("rule", "") not in FIXED_RULES
            if allocated or "group" in attributes or name == "statsig::experiment_exposure":
                key = flag
        if key is not None and len(key) <= LONGEST_FLAG:
            self.experiments.setdefault((flag, key), {})[minute] = None

    def _count(self, flag: str, minute: int, second: int, variation: Variation, amount: float) -> None:
        key = (flag, minute)
        row = self.counts.get(key)
        if row is None:
            row = self.counts[key] = {}
        into = row.get(variation)
        if into is None:
            into = row[variation] = Amount()
        into.events += int(amount) if variation[0] == EVALUATION else 1
        place = second - minute * MINUTE
        into.seconds[place] = into.seconds.get(place, 0) + amount

    def _traffic(self, flag: str, application: str | None, minute: int) -> None:
        known = self.traffic.setdefault(flag, {})
        known[application] = max(minute, known.get(application, 0))

    def _sight(self, flag: str, version: int, time: int) -> None:
        self.newest[flag] = version
        self.news.append(Sighting(flag, version, time))

    def _sight_all(self, flag: str, counters: list[_Counter], start: int, end: int) -> None:
        """A summary's versions. Where it has older ones too, each began when those were through."""
        by_version: dict[int, int] = {}
        for counter in counters:
            version = _whole(counter.version)
            if version is not None:
                by_version[version] = by_version.get(version, 0) + (_whole(counter.count) or 0)
        total = sum(by_version.values()) or 1
        before = 0
        for version in sorted(by_version):
            if version > self.newest.get(flag, -1):
                self._sight(flag, version, start + (end - start) * before // total)
            before += by_version[version]


_Minutes: TypeAlias = list[tuple[int, list[tuple[int, float]]]]
"""By minute, (second within it, share of the whole up to the end of that second)."""


def _cells(start: int, end: int) -> _Minutes:
    """Each second from `start` to `end`, unix ms; of a long time, the first seconds of its minutes."""
    first, last = start // 1000, end // 1000
    if first == last:
        return [(last // MINUTE, [(last % MINUTE, 1.0)])]
    step = 1 if last - first <= BY_SECOND else MINUTE
    minutes: _Minutes = []
    second = first
    while second <= last:
        following = second - second % step + step
        if not minutes or minutes[-1][0] != second // MINUTE:
            minutes.append((second // MINUTE, []))
        share = 1.0 if following > last else (following * 1000 - start) / (end - start)
        minutes[-1][1].append((second % MINUTE, share))
        second = following
    return minutes


def _spread(count: int, variation: Variation, minutes: _Minutes, rows: list[Row]) -> None:
    """Count `count` over `minutes`, in proportion, each evaluation whole."""
    done = 0
    for (_, cells), row in zip(minutes, rows, strict=True):
        before = done
        amount = row.get(variation)
        seconds = {} if amount is None else amount.seconds
        for second, share in cells:
            upto = int(count * share)
            if upto > done:
                seconds[second] = seconds.get(second, 0) + upto - done
                done = upto
        if done > before:
            if amount is None:
                amount = row[variation] = Amount(0, seconds)
            amount.events += done - before


@lru_cache(4096)
def canonical(value: bytes) -> bytes:
    """The JSON of a value in one spelling, so that what two SDKs write differently is the same."""
    try:
        decoded = msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return _NULL
    if isinstance(decoded, float) and decoded.is_integer() and abs(decoded) < 2**53:
        decoded = int(decoded)
    encoded = msgspec.json.encode(decoded, order="sorted")
    if len(encoded) > LONGEST_VALUE:
        return b'"[%d bytes, sha256 %s]"' % (len(encoded), sha256(encoded).hexdigest()[:16].encode())
    return encoded


def _whole(number: float | None) -> int | None:
    if number is None or abs(number) >= 2**63:
        return None
    return int(number)
