"""When nothing can be stored for want of room, and when again."""

from router.pipeline.space import Space


def states(space: Space) -> tuple[bool, bool]:
    """Whether a write has to prove that there is room, and whether there is."""
    return space.unproven, space.reason is None


def test_room_that_was_never_measured_is_room() -> None:
    assert Space(1000).reason is None


def test_less_than_min_free_is_refused_with_both_figures_until_there_is_more() -> None:
    space = Space(1000)
    space.measured(999)
    assert space.reason is not None
    assert "999 bytes" in space.reason
    assert "min_free asks for 1000" in space.reason
    assert states(space) == (False, False), "not to be proven: a probe would take of what is left"
    space.measured(1000)
    assert states(space) == (True, False), "a flush may have met the full disk while nothing was written"
    space.written()
    assert states(space) == (False, True)


def test_a_full_disk_counts_until_a_write_succeeds() -> None:
    space = Space(0)
    space.refused()
    space.measured(10**12)
    assert space.reason is not None
    assert "full" in space.reason
    space.written()
    assert space.reason is None


def test_each_time_room_ran_out_is_counted_once() -> None:
    space = Space(10)
    for free in (5, 4, 50, 3):
        space.measured(free)
        if space.unproven:
            space.written()
    space.refused()

    assert space.statistics().refusals == 2
    assert space.statistics().free == 3
