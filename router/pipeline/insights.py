"""What one environment's insights are made of, and how a tally of log entries is worked into it.

Passive: the indexer alone changes it, and it outlives the indexer's incarnations. Readers see it between two steps.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from router.changes import DESCRIPTIONS, OBSERVED, Change, change_id
from router.names import EnvironmentName
from router.pipeline import impact
from router.pipeline.counting import Sighting, Tally
from router.store.changes import Changes, Record
from router.store.engine import Batch, Engine
from router.store.flags import Flags
from router.store.rollups import HOUR_MINUTES, MINUTE, Position, Rollups

EARLY: Final = 60_000  # ms by which traffic may seem to know a change before its vendor says it was made: clocks differ
LATE: Final = 600_000  # ms after which traffic that carries a newer version is not put down to a change any more
REACH: Final = (impact.WINDOW + MINUTE) * 1000  # ms: traffic this near a change may be part of its impact
QUICK: Final = 60_000  # ms within which newer and newer versions of a flag are one change
MOST_FLAGS: Final = 20_000  # of one environment; whoever has a public key could make up any number of them
SWEEP: Final = 200  # flags looked at in one step of a sweep

TRAFFIC: Final = "traffic"
"""Source of the changes that no webhook told of."""


@dataclass(frozen=True, slots=True)
class InsightsStatistics:
    """offset: first event that is not counted yet; changes: held; rows, sketches: written since the start;
    unreadable: events whose JSON was not as documented, since the start; flags: that are counted; crowded_out: events
    of flags beyond the most that are, since the start."""

    offset: int
    changes: int
    rows: int
    sketches: int
    unreadable: int
    flags: int
    crowded_out: int


class Insights:
    """The insights of one environment; to be loaded by `reset`.

    number: of its log. age: seconds that rows and changes are kept, None for ever.
    """

    def __init__(self, name: EnvironmentName, engine: Engine, number: int, age: float | None) -> None:
        self.name = name
        self.age = age
        self.rollups = Rollups(engine, number)
        self.flags = Flags(engine, number)
        self.changes = Changes(engine, number)
        self.position = Position()
        self._unreadable = 0
        self._crowded_out = 0
        self._names: set[str] = set()

    def reset(self) -> None:
        """Load what was written.

        Raises:
            Damaged: it cannot be read.
        """
        self.rollups.forget()
        self.flags.forget()
        self.changes.load()
        self.position = self.rollups.position()
        self._names = {flag.name for flag in self.flags.each()}

    def tally(self, now: int) -> Tally:
        """An empty tally for what comes at the position; what `now`, unix ms, makes too old does not count."""
        oldest = 0 if self.age is None else (now - round(self.age * 1000)) // 1000
        offset, counted, floor = self.position
        return Tally(max(oldest, floor * MINUTE if offset < counted else 0))

    def apply(self, tally: Tally, position: Position, batch: Batch) -> Iterator[None]:
        """Let the batch bring the rows up to `position`; yields between steps, so that others may have a turn.

        To be followed by `advance` once the batch is written, or else by `reset`.
        """
        self._bound(tally)
        for (flag, minute), counts in tally.counts.items():
            self.rollups.add(batch, flag, minute, counts)
            yield
        for (flag, minute), contexts in tally.contexts.items():
            self.rollups.see(batch, flag, minute, contexts)
            yield
        self._note_traffic(tally, batch)
        yield
        affected: dict[str, None] = {}
        for news in tally.news:
            for id_ in self._observe(news, batch) if isinstance(news, Sighting) else self._announce(news):
                affected[id_] = None
        for flag, (first, last) in _touched(tally).items():
            for place in self.changes.of_flag(flag, first - REACH, last + REACH):
                affected[place.id] = None
        for id_ in affected:
            self._assess(id_)
            yield
        self.changes.stage(batch)
        self.rollups.move(batch, position)
        self._unreadable += tally.unreadable

    def advance(self, position: Position) -> None:
        """The batch of `apply` is written."""
        self.changes.advance()
        self.rollups.trim()
        self.flags.trim()
        self.position = position

    def sweep(self, now: int, after: str, batch: Batch) -> str:
        """Let the batch delete what is too old at `now`, unix ms, of the flags that follow `after`, and the changes.

        Returns the last flag looked at, the empty text when there are no more.
        """
        if self.age is None:
            return ""
        time = now - round(self.age * 1000)
        minute = time // 1000 // MINUTE
        for place in self.changes.between(0, time):
            self.changes.drop(place.id)
        self.changes.stage(batch)
        for seen, flag in enumerate(self.flags.each(after), 1):
            self.rollups.expire(batch, flag.name, minute)
            if flag.last + HOUR_MINUTES < minute:
                self.flags.drop(batch, flag)
                self._names.discard(flag.name)
            if seen == SWEEP:
                return flag.name
        return ""

    def clear(self, offset: int, floor: int, batch: Batch) -> Position:
        """Let the batch delete what a replay of the log from `offset` on makes again.

        floor: first minute, of an hour, that the replay counts wholly; 0 where the log has its beginning still. Rows
        before it stay, and so do then the changes, which a replay would only find in part.
        """
        position = Position(offset, max(self.position.offset, self.position.counted), floor)
        if floor:
            for flag in self.flags.each():
                self.rollups.clear(batch, flag.name, floor)
        else:
            self.rollups.clear_all(batch)
            self.flags.clear_all(batch)
            self.changes.clear_all(batch)
        self.rollups.move(batch, position)
        return position

    def statistics(self) -> InsightsStatistics:
        rollups = self.rollups.statistics()
        return InsightsStatistics(
            self.position.offset,
            len(self.changes),
            rollups.rows,
            rollups.sketches,
            self._unreadable,
            len(self._names),
            self._crowded_out,
        )

    def _bound(self, tally: Tally) -> None:
        """Take the flags beyond the most out of the tally."""
        refused = set()
        for flag in tally.traffic:
            if flag not in self._names:
                if len(self._names) >= MOST_FLAGS:
                    refused.add(flag)
                else:
                    self._names.add(flag)
        if refused:
            self._crowded_out += tally.drop(refused)

    def _note_traffic(self, tally: Tally, batch: Batch) -> None:
        changed = dict.fromkeys(
            name
            for name, applications in tally.traffic.items()
            for application, minute in applications.items()
            if self.flags.get(name).saw(minute, application)
        )
        for (name, key), minutes in tally.experiments.items():
            for minute in minutes:
                if self.flags.get(name).experimented(key, minute):
                    changed[name] = None
        for name in changed:
            self.flags.put(batch, self.flags.get(name))

    def _observe(self, sighting: Sighting, batch: Batch) -> list[str]:
        """Ids of the changes that a new version comes from: those that were announced and wait for theirs, or one of
        its own. The first version of a flag comes from no change."""
        flag = self.flags.get(sighting.flag)
        newest = flag.newest
        if newest is not None and sighting.version <= newest:
            return []
        flag.newest = sighting.version
        self.flags.put(batch, flag)
        if newest is None:
            return []
        known = self.changes.of_flag(flag.name, 0, 2**63)
        if any(place.version == sighting.version for place in known):
            return []
        near = sighting.time - LATE, sighting.time + EARLY
        waiting = [place for place in known if place.version is None and near[0] <= place.time <= near[1]]
        # Each change makes one version: the last announced made the newest.
        of = {place.id: sighting.version - step for step, place in enumerate(reversed(waiting))}
        of = {id_: version for id_, version in of.items() if version > newest}
        for id_, version in of.items():
            record = self.changes.record(id_)
            if record is not None:
                self.changes.put(msgspec.structs.replace(record, change=_with(record.change, version=version)))
        if of:
            return list(of)
        for place in known:
            if place.source == TRAFFIC and abs(place.time - sighting.time) <= QUICK:
                record = self.changes.record(place.id)
                if record is not None:
                    change = _with(record.change, version=sighting.version)
                    self.changes.put(msgspec.structs.replace(record, change=change))
                    return [place.id]
        id_ = change_id(self.name, TRAFFIC, flag.name, str(sighting.version))
        description = DESCRIPTIONS[OBSERVED]
        change = Change(id_, flag.name, OBSERVED, sighting.time, description, TRAFFIC, version=sighting.version)
        self.changes.put(Record(change))
        return [id_]

    def _announce(self, change: Change) -> list[str]:
        """Id of the change that a webhook tells of; one seen in the traffic already keeps its id and takes the rest."""
        if self.changes.record(change.id) is not None:
            return []
        seen = next(
            (
                place
                for place in self.changes.of_flag(change.flag, change.time - EARLY, change.time + LATE)
                if place.source == TRAFFIC and change.version in (None, place.version)
            ),
            None,
        )
        if seen is None:
            self.changes.put(Record(change))
            return [change.id]
        merged = _with(change, id=seen.id, version=seen.version)
        self.changes.put(Record(merged, aliases=(change.id,)))
        return [seen.id]

    def _assess(self, id_: str) -> None:
        record = self.changes.record(id_)
        if record is None:
            return
        change = record.change
        first, end = impact.minutes(change.time)
        found = impact.assess(
            change.time,
            change.version,
            self.rollups.rows(change.flag, first, end),
            self.rollups.sketches(change.flag, first, end),
        )
        if found != record.impact:
            self.changes.put(msgspec.structs.replace(record, impact=found))


def _with(change: Change, **fields: object) -> Change:
    changed: Change = msgspec.structs.replace(change, **fields)
    return changed


def _touched(tally: Tally) -> dict[str, tuple[int, int]]:
    """First and last moment, unix ms, of what the tally has of each flag."""
    found: dict[str, tuple[int, int]] = {}
    for flag, minute in (*tally.counts, *tally.contexts):
        first, last = found.get(flag, (minute, minute))
        found[flag] = min(first, minute), max(last, minute)
    return {flag: (first * MINUTE * 1000, (last + 1) * MINUTE * 1000) for flag, (first, last) in found.items()}
