"""What is known of each flag besides its counts: its newest version, who evaluates it, which experiments it is in."""

from collections.abc import Iterator
from typing import Final

import msgspec

from router.store.engine import Batch, Engine
from router.store.rollups import flag_key

FAMILY: Final = "flags"
HELD: Final = 50_000  # flags in memory
MOST_APPLICATIONS: Final = 100
MOST_EXPERIMENTS: Final = 20
MOST_ITERATIONS: Final = 50
BREAK: Final = 24 * 60  # minutes without traffic after which an experiment's next traffic is another iteration
STEP: Final = 60  # minutes to which times of traffic are cut, so that a busy flag's row is not written again and again


class Flag(msgspec.Struct, array_like=True):
    """One flag. Times are minutes since 1970.

    newest: its greatest version seen. last: when it was seen last, cut to `STEP`. applications: that evaluate it,
    with when each did last. experiments: by key, the stretches of traffic in each, [first, last].
    """

    name: str
    newest: int | None = None
    last: int = 0
    applications: dict[str, int] = {}
    experiments: dict[str, list[list[int]]] = {}

    def saw(self, minute: int, application: str | None) -> bool:
        """Note traffic; whether that changed anything."""
        minute -= minute % STEP
        changed = minute > self.last
        self.last = max(minute, self.last)
        if application is not None and self.applications.get(application, -1) < minute:
            if application not in self.applications and len(self.applications) >= MOST_APPLICATIONS:
                del self.applications[min(self.applications, key=self.applications.__getitem__)]
            self.applications[application] = minute
            changed = True
        return changed

    def experimented(self, key: str, minute: int) -> bool:
        """Note traffic of an experiment; whether that changed anything."""
        stretches = self.experiments.get(key)
        if stretches is None:
            if len(self.experiments) >= MOST_EXPERIMENTS:
                return False
            stretches = self.experiments[key] = []
        for stretch in stretches:
            if stretch[0] - BREAK <= minute <= stretch[1] + BREAK:
                if stretch[0] <= minute <= stretch[1]:
                    return False
                stretch[0] = min(stretch[0], minute)
                stretch[1] = max(stretch[1], minute)
                return True
        stretches.append([minute, minute])
        stretches.sort()
        del stretches[:-MOST_ITERATIONS]
        return True

    def experiments_at(self, minute: int, reach: int) -> list[tuple[str, list[int]]]:
        """(key, stretch) of the experiments with traffic within `reach` minutes of `minute`."""
        return [
            (key, stretch)
            for key, stretches in sorted(self.experiments.items())
            for stretch in stretches
            if stretch[0] <= minute + reach and minute - reach <= stretch[1]
        ]


_DECODER: Final = msgspec.msgpack.Decoder(Flag)


class Flags:
    """The flags of one environment; `number` is that of its log."""

    def __init__(self, engine: Engine, number: int) -> None:
        self._family = engine.family(FAMILY)
        self._prefix = number.to_bytes(4, "big")
        self._held: dict[str, Flag] = {}

    def forget(self) -> None:
        """Drop what is in memory: it may be ahead of what was written."""
        self._held.clear()

    def get(self, name: str) -> Flag:
        """The flag, a blank one where it was never seen."""
        found = self._held.get(name)
        if found is None:
            stored = self._family.get(self._prefix + flag_key(name))
            found = Flag(name) if stored is None else _DECODER.decode(stored)
            self._held[name] = found
        return found

    def trim(self) -> None:
        """The batch is written: hold no more than is worth it."""
        if len(self._held) > HELD:
            self._held.clear()

    def put(self, batch: Batch, flag: Flag) -> None:
        batch.put(self._family, self._prefix + flag_key(flag.name), msgspec.msgpack.encode(flag))

    def drop(self, batch: Batch, flag: Flag) -> None:
        self._held.pop(flag.name, None)
        batch.delete(self._family, self._prefix + flag_key(flag.name))

    def clear_all(self, batch: Batch) -> None:
        """Let the batch delete all flags of the environment."""
        self.forget()
        batch.delete_range(self._family, self._prefix, (int.from_bytes(self._prefix, "big") + 1).to_bytes(4, "big"))

    def each(self, after: str = "") -> Iterator[Flag]:
        """All flags in key order, those after `after`."""
        start = self._prefix + (flag_key(after) + b"\xff" if after else b"")
        end = (int.from_bytes(self._prefix, "big") + 1).to_bytes(4, "big")
        for _, value in self._family.scan(start, end):
            yield _DECODER.decode(value)
