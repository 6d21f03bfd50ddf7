"""The shape of health."""

from dataclasses import FrozenInstanceError

import pytest

from router.actors.actor import ExitStatus
from router.actors.health import Ending, Health, LastError, State, as_json
from router.actors.mailbox import MailboxStatistics

CHILD = Health("root/a", State.STARTING, 5, 0.0, None, 0, 0, None, None, ())
ROOT = Health(
    name="root",
    state=State.RUNNING,
    since=1_700_000_000_000,
    progress_age=1.23456,
    mailbox=MailboxStatistics(depth=1, capacity=2, peak=2, accepted=9, refused=3),
    processed=8,
    restarts=1,
    last_error=LastError("ValueError", "no", 1_600_000_000_000),
    waiting_on="the disk",
    children=(CHILD,),
    recent=(Ending(1_600_000_000_000, ExitStatus.CRASHED, "no"),),
)


def test_json_has_the_shape_of_the_contract() -> None:
    """contract.md, Operations: `/health/actors`."""
    assert as_json(ROOT) == {
        "name": "root",
        "state": "running",
        "since": 1_700_000_000_000,
        "progress_age": 1.235,
        "mailbox": {"depth": 1, "capacity": 2, "peak": 2},
        "processed": 8,
        "restarts": 1,
        "last_error": {"type": "ValueError", "message": "no", "at": 1_600_000_000_000},
        "waiting_on": "the disk",
        "children": [
            {
                "name": "root/a",
                "state": "starting",
                "since": 5,
                "progress_age": 0.0,
                "mailbox": None,
                "processed": 0,
                "restarts": 0,
                "last_error": None,
                "waiting_on": None,
                "children": [],
            }
        ],
    }


def test_detail_adds_how_recent_incarnations_ended() -> None:
    detailed = as_json(ROOT, detail=True)
    assert detailed["recent"] == [{"at": 1_600_000_000_000, "status": "crashed", "message": "no"}]
    assert detailed["children"][0]["recent"] == []


def test_health_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        CHILD.restarts = 1  # type: ignore[misc]  # that it is frozen is the point
