"""The top of the tree: runs a supervisor that has none above it."""

from typing import TYPE_CHECKING, Any

import trio

from router.actors.actor import Context, ExitStatus
from router.actors.child import blame
from router.actors.health import State

if TYPE_CHECKING:
    from router.actors.supervisor import Supervisor


class Root:
    """A running root supervisor."""

    def __init__(self, stopping: trio.Event) -> None:
        self._stopping = stopping

    def stop(self) -> None:
        """Ask for an orderly stop; `run_root` returns when it is done."""
        self._stopping.set()


async def run_root(
    supervisor: "Supervisor", *, task_status: "trio.TaskStatus[Root]" = trio.TASK_STATUS_IGNORED
) -> None:
    """Run a tree until it is asked to stop or fails. Reports a `Root` when every child has started.

    When it ends, however that is, every mailbox of the tree is closed and every ask in it has been answered.

    Raises:
        RestartsExceeded, Fatal, Exception: as `Supervisor.run`; plain, never in a group.
    """
    handle = supervisor.registry.attach(supervisor.name)
    reported = False

    def report() -> None:
        nonlocal reported
        reported = True
        handle.enter(State.RUNNING)
        task_status.started(Root(context.stopping))

    context: Context[Any] = Context(supervisor.name, None, report)
    handle.begin(context)
    status, failure = ExitStatus.STOPPED, None
    try:
        await supervisor.run(context)
    except Exception as error:
        failure = error
        status = blame(error)
        raise
    finally:
        handle.end(status, failure)
        handle.enter(State.STOPPED if failure is None else State.FAILED)
        handle.seal("stopped")
