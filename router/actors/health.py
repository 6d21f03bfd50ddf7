"""What can be said about an actor at a glance: frozen, read without waiting, the same for tests and for operators."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from router.actors.actor import ExitStatus
from router.actors.mailbox import MailboxStatistics


class State(StrEnum):
    """Where an actor is in its life.

    STARTING: launched, and not yet past its start barrier. RUNNING: past it. BACKOFF: ended, and to be launched again.
    STOPPING: asked or made to end. STOPPED: ended for good, as it should. FAILED: parked after too many restarts, or
    crashed without a restart being due; started again only by `Supervisor.revive`.
    """

    STARTING = "starting"
    RUNNING = "running"
    BACKOFF = "backoff"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class LastError(NamedTuple):
    """type: class of the exception. at: unix ms."""

    type: str
    message: str
    at: int


class Ending(NamedTuple):
    """How an earlier incarnation ended. at: unix ms. message: of its error, or empty."""

    at: int
    status: ExitStatus
    message: str


@dataclass(frozen=True, slots=True)
class Health:
    """One actor and everything below it.

    since: unix ms at which the state began. progress_age: seconds since the latest progress. mailbox: None for an actor
    without one. processed: messages taken by all incarnations. restarts: incarnations after the first, except those an
    operator asked for. waiting_on: the innermost zone it is in. recent: how its latest incarnations ended, oldest
    first.
    """

    name: str
    state: State
    since: int
    progress_age: float
    mailbox: MailboxStatistics | None
    processed: int
    restarts: int
    last_error: LastError | None
    waiting_on: str | None
    children: tuple["Health", ...]
    recent: tuple[Ending, ...] = ()


def as_json(health: Health, *, detail: bool = False) -> dict[str, Any]:
    """`health` in the shape of `GET /health/actors` (contract.md, Operations); with `detail` also `recent`."""
    mailbox = health.mailbox
    shape: dict[str, Any] = {
        "name": health.name,
        "state": health.state.value,
        "since": health.since,
        "progress_age": round(health.progress_age, 3),
        "mailbox": None
        if mailbox is None
        else {"depth": mailbox.depth, "capacity": mailbox.capacity, "peak": mailbox.peak},
        "processed": health.processed,
        "restarts": health.restarts,
        "last_error": None if health.last_error is None else health.last_error._asdict(),
        "waiting_on": health.waiting_on,
    }
    if detail:
        shape["recent"] = [
            {"at": ending.at, "status": ending.status.value, "message": ending.message} for ending in health.recent
        ]
    shape["children"] = [as_json(child, detail=detail) for child in health.children]
    return shape
