"""Whether the router is as fast with a long log and with many environments as with none and one."""

from bench.compare.bench import Turn
from bench.compare.measures.deliver import BATCH as DELIVERED
from bench.compare.measures.deliver import burst, latency
from bench.compare.measures.memory import idle
from bench.compare.measures.publish import full
from bench.compare.measures.replay import BATCH as STORED
from bench.compare.measures.replay import read
from bench.compare.peers.router import Router

READERS = 1_000


def growth(turn: Turn) -> None:
    """The figures that count, of one state of the router."""
    settings = turn.settings
    readers = min(READERS, max(settings.readers))
    with turn.launch() as peer:
        turn.rest(peer)
        for batch in (1, 50):
            full(turn, peer, batch, f"posts of {batch}", "spread")
            turn.rest(peer)
        row = f"deliveries to {readers}"
        with turn.tried(row), turn.programs.followers(peer, readers) as followers:
            burst(turn, peer, followers, readers, DELIVERED, row)
        turn.rest(peer)
        with turn.tried("latency"):
            latency(turn, peer, "latency")
    with turn.launch() as peer:
        assert isinstance(peer, Router)
        if peer.stored is None:
            turn.programs.fill(peer, settings.replayed, STORED, settings.filling)
        read(turn, peer, "server-sent events", settings.replayed, "replay")
    idle(turn, max(settings.idle), "memory")
