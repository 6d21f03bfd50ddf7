"""How fast events are taken in, and how soon they are answered when half as many come."""

from bench.compare.bench import Turn
from bench.compare.peer import Peer, Purpose
from bench.compare.results import Figures


def publish(turn: Turn) -> None:
    """Batches of each size at full speed, then at a steady half of it."""
    settings = turn.settings
    with turn.launch() as peer:
        for batch in settings.batches if peer.batched else (1,):
            with turn.tried(str(batch)):
                rate = full(turn, peer, batch, str(batch))["posts"]
                turn.rest(peer)
                half(turn, peer, batch, rate / 2)
                turn.rest(peer)


def half(turn: Turn, peer: Peer, batch: int, rate: float) -> None:
    """Posts at a steady rate, so many a second, recorded."""
    settings = turn.settings
    done = turn.programs.loaded(
        turn.programs.load(
            peer, batch, connections=settings.connections, seconds=settings.seconds, warm=settings.warm, rate=rate
        )
    )
    figures = {"posts": done.rate, "p50": done.p50, "p99": done.p99, "unanswered": done.unanswered}
    turn.record(f"{batch}, half load", figures)


def full(turn: Turn, peer: Peer, batch: int, row: str, purpose: Purpose = "live") -> Figures:
    """Posts at full speed, recorded."""
    settings = turn.settings
    done = turn.programs.loaded(
        turn.programs.load(
            peer, batch, connections=settings.connections, seconds=settings.seconds, warm=settings.warm,
            purpose=purpose,
        )
    )  # fmt: skip
    figures = {
        "posts": done.rate, "events": done.rate * batch, "p50": done.p50, "p99": done.p99, "generator": done.busy,
    }  # fmt: skip
    turn.record(row, figures)
    return figures
