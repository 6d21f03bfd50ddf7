"""Turns: whose it is, what a failure leaves standing."""

from pathlib import Path
from typing import cast

from bench.compare.bench import Bench, Turn
from bench.compare.failure import Failure
from bench.compare.peer import Peer
from bench.compare.peers.redis import Redis
from bench.compare.peers.router import Router
from bench.compare.programs import Programs
from bench.compare.results import Results
from bench.compare.settings import Settings
from bench.compare.tools import Tools


def refuse() -> None:
    raise Failure("it said no")


def bench(folder: Path, rounds: int) -> Bench:
    """One whose measures need no programs."""
    settings = Settings(folder, rounds=rounds)
    return Bench(settings, cast("Programs", None), Results())


def test_a_failure_leaves_the_other_rows_and_candidates(tmp_path: Path) -> None:
    """And is kept with its place; each round can be saved."""
    made = bench(tmp_path, 2)
    tools = Tools()
    saved: list[int] = []

    def measure(turn: Turn) -> None:
        with turn.tried("first"):
            refuse()
        turn.record("second", {"rate": 1.0})
        raise ConnectionResetError("it died")

    made.run("deliver", measure, [Redis(tools)], lambda: saved.append(len(made.results.failures)))
    assert made.results.values("deliver", "second", "Redis streams", "rate") == [1.0, 1.0]
    assert made.results.failures[:2] == [
        "deliver, Redis streams, round 1: first: it said no",
        "deliver, Redis streams, round 1: it died",
    ]
    assert saved == [2, 4]


def test_the_order_of_the_candidates_turns(tmp_path: Path) -> None:
    """So that nobody is always first."""
    made = bench(tmp_path, 3)
    tools = Tools()
    peers: list[Peer] = [Router(tools), Redis(tools)]
    order: list[str] = []

    def measure(turn: Turn) -> None:
        turn.record("row", {"turn": float(len(order))})
        order.append("")

    made.run("publish", measure, peers, lambda: None)
    assert made.results.values("publish", "row", "router", "turn") == [0.0, 3.0, 4.0]
    assert made.results.values("publish", "row", "Redis streams", "turn") == [1.0, 2.0, 5.0]
