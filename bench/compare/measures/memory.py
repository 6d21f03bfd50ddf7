"""What an idle reader costs."""

from bench.compare.bench import Turn
from bench.compare.failure import Failure
from bench.compare.footprint import steady

WARM = 20  # readers and posts before the first look


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
            turn.programs.loaded(turn.programs.load(peer, 1, connections=8, seconds=30, count=WARM))
            followers.until(WARM * WARM, 10)
        turn.rest(peer)
        empty = steady(peer.pids, settings.settled)
        with turn.programs.followers(peer, readers) as followers:
            turn.rest(peer)
            full = steady(peer.pids, settings.settled)
            followers.reset()
            turn.programs.loaded(turn.programs.load(peer, 1, connections=1, seconds=30, count=1))
            found = followers.until(readers, 20)
            if found["events"] != readers:
                raise Failure(f"of {readers} idle readers {found['events']} got the next event")
        turn.record(row, {"bytes": (full - empty) / readers, "empty": empty})
