"""Which events of other routers' logs are stored here already, whatever the time since: no window, no limit of age.

Of each other log it keeps the ranges of offsets that it has, in the batch of the events themselves: an event of another
router is known exactly when it is kept. An edge that comes back after a week, or is not sure of an answer, sends again
what it has no answer for, and none of it is stored twice.
"""

from dataclasses import dataclass

from router.ranges import NOTHING, Ranges, Span
from router.store.cursors import Cursors, Row
from router.store.engine import Batch, Engine


@dataclass(frozen=True, slots=True)
class SourcesStatistics:
    """known: other logs that events came from; missing: stretches of them that were never sent or not yet."""

    known: int
    missing: int


class Sources:
    """The other logs of one environment. Passive; changed in the order stage, then advance or retract.

    number: of the environment's own log, which scopes the rows.
    """

    def __init__(self, engine: Engine, number: int) -> None:
        self._cursors = Cursors(engine, number, "source")
        self._known = {name: Ranges.of(((0, row.offset), *row.beyond.spans)) for name, row in self._cursors.rows()}
        self._staged: dict[str, Ranges] = {}

    def held(self, name: str) -> Ranges:
        """What of the log `name` is stored, or staged to be."""
        staged = self._staged.get(name)
        return staged if staged is not None else self._known.get(name, NOTHING)

    def stage(self, batch: Batch, stamp: int, name: str, epoch: str, span: Span) -> None:
        """Add `span` to what is held of `name`, in the batch of its events. stamp: unix ms."""
        held = self._staged[name] = self.held(name).with_span(*span)
        offset = held.reach(0)
        beyond = Ranges(tuple(part for part in held.spans if part[0] > offset))
        self._cursors.stage(batch, name, Row(epoch, offset, stamp, beyond))

    def advance(self) -> None:
        """The batch is written."""
        self._known.update(self._staged)
        self._staged.clear()

    def retract(self) -> None:
        """The batch was not written, or is dealt with."""
        self._staged.clear()

    def statistics(self) -> SourcesStatistics:
        missing = sum(len(held.spans) - (held.spans[0][0] == 0) for held in self._known.values() if held.spans)
        return SourcesStatistics(len(self._known), missing)
