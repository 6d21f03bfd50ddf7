"""The byte budget: bounded, first come first served, and never a deadlock between half-read bodies."""

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from router.http.budget import ByteBudget


async def test_what_fits_is_given_at_once_and_what_does_not_waits() -> None:
    budget = ByteBudget(10)
    first, second, third = object(), object(), object()
    await budget.take(first, 6)
    await budget.take(second, 4)
    done: list[str] = []

    async def wait() -> None:
        await budget.take(third, 5)
        done.append("third")

    async with trio.open_nursery() as nursery:
        budget._privileged = first  # somebody else may exceed
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        assert (budget.statistics().waiting, done) == (1, [])
        budget.give_back(second, 4)
        await wait_all_tasks_blocked()
        assert done == []
        budget.give_back(first, 6)
    assert done == ["third"]
    assert budget.statistics().used == 5


async def test_two_half_read_bodies_do_not_wait_for_each_other() -> None:
    """Each holds half the budget and wants more: one of them must get it."""
    budget = ByteBudget(10)
    finished: list[int] = []

    async def body(number: int) -> None:
        holder, held = object(), 0
        for _ in range(4):
            await budget.take(holder, 4)
            held += 4
            await trio.lowlevel.checkpoint()
        budget.give_back(holder, held)
        finished.append(number)

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(body, number)
    assert sorted(finished) == [0, 1, 2, 3, 4]
    assert budget.statistics().used == 0
    assert budget.statistics().peak <= 10 + 16


async def test_a_cancelled_wait_leaves_no_trace() -> None:
    budget = ByteBudget(10)
    first, second = object(), object()
    await budget.take(first, 10)
    budget._privileged = first
    with trio.move_on_after(0.01):
        await budget.take(second, 5)

    assert budget.statistics().waiting == 0
    budget.give_back(first, 10)
    assert budget.statistics().used == 0


@settings(max_examples=50, deadline=None)
@given(
    bodies=st.lists(st.lists(st.integers(1, 8), min_size=1, max_size=5), min_size=1, max_size=8),
    victims=st.sets(st.integers(0, 7)),
)
def test_any_mix_of_bodies_and_cancellations_comes_to_an_end(bodies: list[list[int]], victims: set[int]) -> None:
    """Nothing is lost, nothing stays held, and the peak is the limit and one body at most."""
    budget = ByteBudget(10)

    async def body(number: int, pieces: list[int]) -> None:
        holder, held = object(), 0
        try:
            with trio.move_on_after(0.05 if number in victims else 60):
                for piece in pieces:
                    await budget.take(holder, piece)
                    held += piece
                    await trio.sleep(0.02 if number in victims else 0)
        finally:
            budget.give_back(holder, held)

    async def all_bodies() -> None:
        async with trio.open_nursery() as nursery:
            for number, pieces in enumerate(bodies):
                nursery.start_soon(body, number, pieces)

    trio.run(all_bodies, clock=trio.testing.MockClock(autojump_threshold=0))
    statistics = budget.statistics()
    assert (statistics.used, statistics.waiting) == (0, 0)
    assert statistics.peak <= 10 + max(sum(pieces) for pieces in bodies)


async def test_statistics_are_frozen() -> None:
    with pytest.raises(AttributeError):
        ByteBudget(1).statistics().used = 5  # type: ignore[misc]  # that it cannot be set is the point
