"""The record handed to the endpoints: frozen, but for the drain, which is set once."""

from dataclasses import FrozenInstanceError

import pytest

from router.http.services import Drain, StreamLimits


def test_limits_do_not_change_under_those_who_use_them() -> None:
    with pytest.raises(FrozenInstanceError):
        StreamLimits().most = 1  # type: ignore[misc]  # that it cannot be set is the point


def test_the_drain_begins_when_it_is_said() -> None:
    drain = Drain()
    assert not drain.begun
    drain.begun = True
    assert drain.begun
