"""How much is measured."""

from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """What every measure is told.

    Attributes:
        seconds: length of each figure's window; the warm-up before it is a fifth of it.
        rounds: turns of each candidate.
        connections: that post.
        batches: events in a post.
        readers: how many follow a stream.
        latency_readers: how many follow it while delivery is timed.
        rate: events a second while delivery is timed.
        replayed: events that one reader replays.
        filling: seconds that storing those may take; a slower candidate replays fewer.
        stored: events of the full log, for growth.
        environments: of the wide router, for growth.
        delays: ms added to each fsync.
        settled: seconds to wait at most for a candidate to come to rest between figures.
        pinned: servers on the first core, load on the second.
        folder: where data is written: on the disk that is to be measured.
    """

    folder: Path
    seconds: float = 3.0
    rounds: int = 5
    connections: int = 64
    batches: tuple[int, ...] = (1, 50, 500)
    readers: tuple[int, ...] = (1, 100, 1_000, 5_000)
    idle: tuple[int, ...] = (1_000, 5_000)
    latency_readers: int = 1_000
    rate: float = 100.0
    replayed: int = 1_000_000
    filling: float = 20.0
    stored: int = 10_000_000
    environments: int = 200
    delays: tuple[int, ...] = (0, 1, 5)
    settled: float = 10.0
    pinned: bool = False

    @property
    def warm(self) -> float:
        return self.seconds / 5

    def quick(self) -> "Settings":
        """So small that it only shows that everything works."""
        return replace(
            self,
            seconds=0.3,
            rounds=1,
            connections=8,
            batches=(1, 50),
            readers=(1, 20),
            idle=(50,),
            latency_readers=20,
            replayed=5_000,
            filling=2.0,
            stored=20_000,
            environments=5,
            delays=(0, 1),
            settled=0.6,
        )
