"""A retry is stored once: as a whole, or event by event where it comes merged with newer ones."""

import trio

from router.pipeline.ledger import Append, Committed
from router.records import Event, pack_body
from router.store.dedup import Identities, digest
from router.store.engine import Batch
from tests.pipeline.conftest import Bench


def append(*names: str, request: str | None = None, events: bool = False) -> Append:
    identities = Identities(
        digest(request.encode()) if request else None,
        tuple(digest(name.encode()) for name in names) if events else (),
    )
    body = pack_body("statsig", "log_event", {}, [Event("custom", 1, name, (), (), None, b"{}") for name in names])
    return Append(body, len(names), identities)


def names(bench: Bench) -> list[str]:
    return [event.name for stored in bench.log.read(0, bench.watermark.end) for event in stored.entry.events]


async def ask(bench: Bench, append: Append) -> Committed:
    fragment = bench.fragment(1)
    answer = await bench.mailbox.ask(type(fragment)(bench.ledger, append), timeout=5)
    assert isinstance(answer, Committed)
    return answer


async def test_a_repeated_request_is_answered_as_the_first_one(bench: Bench) -> None:
    async with bench.running():
        first = await ask(bench, append("a", "b", request="p1"))
        again = await ask(bench, append("a", "b", request="p1"))

        assert (first, again) == (Committed(0, 1), Committed(0, 1, 2, duplicate=True))
        assert names(bench) == ["a", "b"]
        assert bench.committers[-1].statistics().duplicates == 2


async def test_copies_in_one_group_are_stored_once(bench: Bench) -> None:
    """Chromium resends two to four times within milliseconds: the copies wait for the same sync."""
    answers: list[Committed] = []

    async def one() -> None:
        answers.append(await ask(bench, append("a", request="p1")))

    async with bench.running(), trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(one)
    assert names(bench) == ["a"]
    assert sorted(answer.duplicate for answer in answers) == [False, True, True, True]
    assert {(answer.first, answer.last) for answer in answers} == {(0, 0)}


async def test_resent_events_merged_with_newer_ones_are_recognised_one_by_one(bench: Bench) -> None:
    async with bench.running():
        await ask(bench, append("a", "b", request="p1", events=True))
        merged = await ask(bench, append("a", "b", "c", request="p2", events=True))
        again = await ask(bench, append("a", "c", request="p3", events=True))

        assert merged == Committed(2, 2, 2)
        assert again == Committed(0, 2, 2, duplicate=True)
        assert names(bench) == ["a", "b", "c"]


async def test_a_request_without_identity_is_always_stored(bench: Bench) -> None:
    async with bench.running():
        assert [await ask(bench, append("a")), await ask(bench, append("a"))] == [Committed(0, 0), Committed(1, 1)]


async def test_staging_and_retracting_leaves_nothing(bench: Bench) -> None:
    bench.ledger.stage(Batch(), 1, append("a", request="p1"))
    bench.ledger.retract()

    assert bench.ledger.stage(Batch(), 1, append("a", request="p1")) == Committed(0, 0)


async def test_without_a_window_every_retry_is_stored_again(bench: Bench) -> None:
    bench.ledger.window = None
    async with bench.running():
        assert await ask(bench, append("a", request="p1")) == Committed(0, 0)
        assert await ask(bench, append("a", request="p1")) == Committed(1, 1)
