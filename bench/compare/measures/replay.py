"""How fast stored events come to one reader."""

import time

from bench.compare.bench import Turn
from bench.compare.failure import Failure
from bench.compare.peer import Peer

BATCH = 500


def replay(turn: Turn) -> None:
    """Store events, let it settle, and read them from the first, in every form there is."""
    with turn.launch() as peer:
        wanted = min(turn.settings.replayed, peer.history or turn.settings.replayed)
        stored = turn.programs.fill(peer, wanted, BATCH, turn.settings.filling)
        for form in peer.streams("earliest"):
            with turn.tried(form):
                read(turn, peer, form, min(stored, wanted), form)


def read(turn: Turn, peer: Peer, form: str, events: int, row: str) -> None:
    """The first `events` stored events: events a second from the request to the last of them."""
    turn.rest(peer)
    begin = time.monotonic_ns()
    with turn.programs.followers(peer, 1, "earliest", form) as followers:
        found = followers.until(events, 60 + 10 * turn.settings.seconds)
    if found["events"] < events:
        raise Failure(f"of {events} stored events {found['events']} were replayed; {found['resumed']} resumptions")
    turn.record(
        row,
        {"events": found["events"] / ((found["last"] - begin) / 1e9), "stored": events, "resumed": found["resumed"]},
    )
