"""Sees that a file of the configuration has changed, and asks for a reload: what SIGHUP does, without a signal."""

from collections.abc import Callable
from typing import Any, Final

import structlog
import trio

from router.actors.actor import Context
from router.config.files import Stamps, stamps
from router.store.threads import Threads

OFF: Final = 2.0  # seconds between two looks whether it has been turned on

_log = structlog.get_logger(__name__)


class ConfigWatch:
    """Actor. Looks at the configuration file and all that it names, secrets and certificates.

    A change counts when it looks the same twice: an editor may be writing, and a certificate comes before its key. The
    same change is told once, whether what it makes is good or not.

    known: the stamps under which the files were read last. interval: seconds between two looks, 0 for never. ask: for a
    reload.
    """

    def __init__(
        self, known: Callable[[], Stamps], interval: Callable[[], float], ask: Callable[[], None], threads: Threads
    ) -> None:
        self._known = known
        self._interval = interval
        self._ask = ask
        self._threads = threads
        self._told: Stamps | None = None

    async def run(self, context: Context[Any]) -> None:
        context.started()
        seen: Stamps | None = None
        while not context.stopping.is_set():
            interval = self._interval()
            with trio.move_on_after(interval or OFF):
                await context.stopping.wait()
            context.progress()
            known = self._known()
            if not interval or not known or context.stopping.is_set():
                continue
            found = await self._threads.cold(lambda known=known: stamps(known))  # type: ignore[misc]
            if found == seen and found not in (known, self._told):
                self._told = found
                changed = sorted(str(path) for path, stamp in found.items() if stamp != known[path])
                _log.info("the configuration has changed", files=changed)
                self._ask()
            seen = found
