"""How fast events reach all readers, and how soon at a modest rate."""

from bench.compare.bench import Turn
from bench.compare.failure import Failure
from bench.compare.peer import Peer
from bench.compare.programs import Followers

FIRST = 200_000  # deliveries of the burst that shows how long the measured one may be
MOST = 1_000  # events of it at most
BATCH = 50


def deliver(turn: Turn) -> None:
    """Bursts to each number of readers, by single events and by 50, then single events at a steady rate."""
    with turn.launch() as peer:
        for readers in turn.settings.readers:
            for batch in (1, BATCH) if peer.batched else (1,):
                row = f"{readers}, {batch} a post"
                with turn.tried(row), turn.programs.followers(peer, readers) as followers:
                    burst(turn, peer, followers, readers, batch, row)
                turn.rest(peer)
        with turn.tried("latency"):
            latency(turn, peer, "latency")


def burst(turn: Turn, peer: Peer, followers: Followers, readers: int, batch: int, row: str) -> None:
    """Events as fast as they are taken, until every reader has every one: deliveries a second from first post to last
    delivery.

    A candidate that loses events fails: a rate of some of them says nothing.
    """
    settings = turn.settings
    trial = max(batch, min(MOST, FIRST // readers) // batch * batch)
    rate = sent(turn, peer, followers, readers, batch, trial)["rate"]
    events = max(trial, int(rate * settings.seconds / readers) // batch * batch)
    turn.rest(peer)
    turn.record(row, sent(turn, peer, followers, readers, batch, events))
    turn.rest(peer)


def sent(turn: Turn, peer: Peer, followers: Followers, readers: int, batch: int, events: int) -> dict[str, float]:
    """One burst's figures."""
    settings = turn.settings
    followers.reset()
    limit = 30 + 10 * settings.seconds
    process = turn.programs.load(
        peer, batch, connections=settings.connections, seconds=limit, count=events // batch
    )  # fmt: skip
    found = followers.until(events * readers, limit)
    loaded = turn.programs.loaded(process)
    if found["events"] != events * readers or found["least"] != events:
        raise Failure(
            f"of {events} events to {readers} readers {found['events'] / readers:.0f} each came within {limit:.0f} s, "
            f"{found['least']} to the least; {found['closed']} streams were closed"
        )
    seconds = (found["last"] - loaded.begin) / 1e9
    return {
        "rate": found["events"] / seconds, "events": events, "p50": found["p50"], "p99": found["p99"],
        "resumed": found["resumed"],
    }  # fmt: skip


def latency(turn: Turn, peer: Peer, row: str) -> None:
    """Single events at a steady rate: the time from when each was due to be posted to when each reader had it."""
    settings = turn.settings
    with turn.programs.followers(peer, settings.latency_readers) as followers:
        numbers = {"connections": settings.connections, "rate": settings.rate}
        warm = max(1, int(settings.rate * settings.warm))
        turn.programs.loaded(turn.programs.load(peer, 1, seconds=60, count=warm, **numbers))  # type: ignore[arg-type]
        followers.until(warm * settings.latency_readers, 10)
        turn.rest(peer)
        followers.reset()
        count = int(settings.rate * settings.seconds)
        turn.programs.loaded(
            turn.programs.load(peer, 1, seconds=60 + settings.seconds, count=count, **numbers)  # type: ignore[arg-type]
        )
        found = followers.until(count * settings.latency_readers, 20)
    lost = count * settings.latency_readers - found["events"]
    if lost:
        raise Failure(f"{lost} of {count * settings.latency_readers} deliveries did not come")
    turn.record(row, {"p50": found["p50"], "p99": found["p99"], "max": found["max"]})
