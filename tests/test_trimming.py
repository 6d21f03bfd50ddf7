"""Memory goes back when a peak is over, not while it lasts, and not all the time."""

import gc
import json
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
import trio

from router.actors.actor import Context
from router.store.threads import Threads
from router.trimming import CROWD, GROWN, ROUNDS, SETTLED, SHARE, Ebb, Trimming, forget_deadlines, releaser, resident
from tests.process import router
from tests.test_metrics import scrape, total

MIB = 1024 * 1024


def test_nothing_is_due_while_nothing_happens() -> None:
    ebb = Ebb(100 * MIB)

    assert not any(ebb.due(second, 100 * MIB + second * 1000, 10) for second in range(1000))


def test_connections_that_are_gone_are_a_reason_and_those_that_stay_are_none() -> None:
    ebb = Ebb(100 * MIB)

    assert not ebb.due(1, 100 * MIB, CROWD)
    assert not ebb.due(2, 100 * MIB, CROWD)
    assert ebb.due(3, 100 * MIB, 0)


@pytest.mark.parametrize(("peak", "left", "due"), [(1000, 501, False), (1000, 500, True), (49, 0, False)])
def test_it_takes_half_of_the_peak(peak: int, left: int, due: bool) -> None:
    ebb = Ebb(100 * MIB)
    ebb.due(1, 100 * MIB, peak)

    assert ebb.due(2, 100 * MIB, left) is due


def test_growth_is_a_reason_once_it_is_over() -> None:
    ebb = Ebb(100 * MIB)
    grown = 100 * MIB + GROWN

    assert not ebb.due(1, grown, 0), "it still grows"
    assert not ebb.due(2, grown + 2 * SETTLED, 0), "it still grows"
    assert ebb.due(3, grown + 2 * SETTLED, 0)


def test_a_reason_makes_some_rounds_each_later_than_the_one_before() -> None:
    ebb = Ebb(100 * MIB)
    ebb.due(0, 100 * MIB, 1000)
    made = []
    for second in range(1, 1000):
        if ebb.due(second, 100 * MIB, 0):
            made.append(second)
            ebb.done(second, 100 * MIB, 0.001)

    assert made == [1, 5, 21, 81]
    assert len(made) == len(ROUNDS)


def test_rounds_that_hold_the_loop_for_long_are_seldom() -> None:
    """Whatever reasons there are."""
    ebb = Ebb(100 * MIB)
    took, held = 0.05, 0.0
    for second in range(10_000):
        if ebb.due(second, 100 * MIB, 1000 if second % 2 else 0):
            held += took
            ebb.done(second, 100 * MIB, took)

    assert 0 < held <= 10_000 / SHARE + took


async def test_scopes_that_have_ended_are_forgotten() -> None:
    """By itself trio keeps them until their deadline, here an hour."""
    ended = []
    for _ in range(500):
        with trio.move_on_after(3600) as scope:  # noqa: ASYNC100 - it only comes and goes
            ended.append(weakref.ref(scope))
        del scope
    await trio.lowlevel.checkpoint()
    gc.collect()
    kept = sum(found() is not None for found in ended)

    await forget_deadlines()

    assert kept > 400, "trio has changed: is this needed still?"
    assert sum(found() is not None for found in ended) == 0


SCRIPT = """
import json
from router.trimming import releaser, resident
blocks = [bytes(100_000) for _ in range(1000)]
full = resident()
blocks[:-1] = []
freed = resident()
releaser()()
print(json.dumps([full, freed, resident()]))
"""


def test_holes_in_a_heap_go_back() -> None:
    """In a process of its own, with the allocator tuned as it is in the router."""
    program = f"from router.tuning import tidy_allocator\ntidy_allocator()\n{SCRIPT}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    full, freed, trimmed = json.loads(done.stdout)

    assert full - freed < 5 * MIB, "the C library has changed: is this needed still?"
    assert full - trimmed > 50 * MIB


async def test_a_round_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.trimming.LOOK", 0.01)
    open_ = [1000]
    trimming = Trimming(lambda: open_[0], Threads())
    context: Context[None] = Context("trimmer")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trimming.run, context)
        await trio.sleep(0.1)
        assert trimming.statistics().rounds == 0
        open_[0] = 0
        with trio.fail_after(10):
            while not trimming.statistics().rounds:
                await trio.sleep(0.01)
        context.stopping.set()

    assert trimming.statistics().took > 0
    assert resident() > 10 * MIB
    releaser()()


def test_the_trimmer_is_part_of_the_router(tmp_path: Path) -> None:
    with router(tmp_path / "data") as process:
        assert total(scrape(process), "router_memory_trims") >= 0
