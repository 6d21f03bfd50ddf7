"""What an idle reader costs."""

import time

from bench.compare.bench import Turn
from bench.compare.failure import Failure
from bench.compare.footprint import steady

WARM = 100  # readers before the first look, that come and go
POSTS = 20  # which they all get
STAY = 2.5  # seconds of theirs
LULL = 4.0  # seconds for giving back what starting up and they have left: some do that by and by


def memory(turn: Turn) -> None:
    """(resident with N readers - resident without) / N, each N from a fresh start; then one event reaches them all."""
    for readers in turn.settings.idle:
        with turn.tried(str(readers)):
            idle(turn, readers, str(readers))


def idle(turn: Turn, readers: int, row: str) -> None:
    """One number of readers."""
    settings = turn.settings
    with turn.launch() as peer:
        with turn.programs.followers(peer, WARM) as followers:
            turn.programs.loaded(turn.programs.load(peer, 1, connections=8, seconds=30, count=POSTS))
            followers.until(POSTS * WARM, 10)
            time.sleep(min(STAY, settings.settled))
        time.sleep(min(LULL, settings.settled))
        turn.rest(peer)
        empty = steady(peer.pids, settings.settled)
        with turn.programs.followers(peer, readers) as followers:
            time.sleep(min(LULL, settings.settled))
            turn.rest(peer)
            full = steady(peer.pids, settings.settled)
            followers.reset()
            turn.programs.loaded(turn.programs.load(peer, 1, connections=1, seconds=30, count=1))
            found = followers.until(readers, 20)
            if found["events"] != readers:
                raise Failure(f"of {readers} idle readers {found['events']} got the next event")
        turn.record(row, {"bytes": (full - empty) / readers, "empty": empty})
