"""What is held of other routers' logs: exactly what was written, for ever."""

from router.ranges import Ranges
from router.store.engine import Batch
from router.store.sources import Sources
from tests.store.conftest import Disk

EDGE = "/projects/a/environments/b#abcdefgh"


def put(disk: Disk, sources: Sources, first: int, end: int) -> None:
    batch = Batch()
    sources.stage(batch, 1, EDGE, "abcdefgh", (first, end))
    disk.engine.write(batch)
    sources.advance()


def test_what_was_written_is_held_also_after_a_restart(disk: Disk) -> None:
    sources = Sources(disk.engine, 1)
    put(disk, sources, 0, 5)
    put(disk, sources, 9, 12)
    disk.reopen()
    again = Sources(disk.engine, 1)
    assert again.held(EDGE) == sources.held(EDGE) == Ranges(((0, 5), (9, 12)))
    assert again.statistics() == sources.statistics()
    assert again.statistics().missing == 1
    put(disk, again, 5, 9)
    assert Sources(disk.engine, 1).held(EDGE) == Ranges(((0, 12),))


def test_a_copy_in_the_same_batch_finds_the_first(disk: Disk) -> None:
    sources = Sources(disk.engine, 1)
    sources.stage(Batch(), 1, EDGE, "abcdefgh", (0, 5))
    assert 4 in sources.held(EDGE)


def test_what_was_not_written_is_not_held(disk: Disk) -> None:
    sources = Sources(disk.engine, 1)
    put(disk, sources, 0, 2)
    sources.stage(Batch(), 1, EDGE, "abcdefgh", (2, 5))
    sources.retract()
    assert sources.held(EDGE) == Ranges(((0, 2),))


def test_a_log_that_was_never_heard_of_has_nothing_here(disk: Disk) -> None:
    sources = Sources(disk.engine, 1)
    assert not sources.held("other").spans
    assert sources.statistics().known == 0


def test_a_log_that_is_known_from_later_on_misses_its_beginning(disk: Disk) -> None:
    sources = Sources(disk.engine, 1)
    put(disk, sources, 100, 110)
    assert sources.statistics().missing == 1
