"""What a slower disk does to each durable candidate."""

from bench.compare.bench import Turn
from bench.compare.failure import Failure
from bench.compare.measures.publish import full

BATCHES = (1, 50)


def fsync(turn: Turn) -> None:
    """Posts at full speed with every fsync delayed. The delay is the proof that an answer waited for the disk."""
    for delay in turn.settings.delays:
        with turn.tried(f"+{delay} ms"), turn.launch(delay) as peer:
            for batch in BATCHES if peer.batched else BATCHES[:1]:
                figures = full(turn, peer, batch, f"+{delay} ms, {batch}")
                if figures["p50"] < delay:
                    raise Failure(
                        f"answered in {figures['p50']:.2f} ms while every fsync took more than {delay} ms: "
                        "its answers do not wait for the disk"
                    )
                turn.rest(peer)
