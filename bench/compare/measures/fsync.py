"""What a slower disk does to each durable candidate."""

from bench.compare.bench import Turn
from bench.compare.measures.publish import full

BATCHES = (1, 50)


def fsync(turn: Turn) -> None:
    """Posts at full speed with every fsync delayed."""
    for delay in turn.settings.delays:
        with turn.launch(delay) as peer:
            for batch in BATCHES if peer.batched else BATCHES[:1]:
                full(turn, peer, batch, f"+{delay} ms, {batch}")
                turn.rest(peer)
