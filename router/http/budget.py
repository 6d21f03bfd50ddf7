"""How many bytes of request bodies are held at once: a wait for room is what pushes back to the sender's TCP."""

from collections import deque
from dataclasses import dataclass

import trio


@dataclass(frozen=True, slots=True)
class BudgetStatistics:
    """limit, used, peak: bytes; waiting: requests that wait for room."""

    limit: int
    used: int
    peak: int
    waiting: int


class ByteBudget:
    """`limit` bytes, shared by all requests.

    Requests hold what they have while they wait for more, so several half-read ones could wait for each other for ever.
    Therefore one of them, the privileged, always gets what it asks for, over the limit if it must; when it is done the
    longest waiting one takes its place. At most `limit` and one body are held.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._peak = 0
        self._waiting: deque[tuple[object, int, trio.Event]] = deque()
        self._privileged: object | None = None

    async def take(self, holder: object, size: int) -> None:
        """Wait until `size` bytes may be held by `holder`; first come, first served."""
        if (self._used + size <= self._limit and not self._waiting) or self._may_exceed(holder):
            self._give(size)
            return
        granted = trio.Event()
        ticket = (holder, size, granted)
        self._waiting.append(ticket)
        try:
            await granted.wait()
        except BaseException:
            if granted.is_set():
                self._used -= size  # granted and cancelled in the same turn: the caller has not heard of it
            else:
                self._waiting.remove(ticket)
            self._grant()
            raise

    def try_take(self, size: int) -> bool:
        """Take `size` bytes if there is room at once and nobody waits; whether that was so."""
        if self._used + size > self._limit or self._waiting:
            return False
        self._give(size)
        return True

    def give_back(self, holder: object, size: int) -> None:
        """`holder` is done with all its `size` bytes."""
        self._used -= size
        if self._privileged is holder:
            self._privileged = None
        if self._waiting:
            self._grant()

    def resize(self, limit: int) -> None:
        """Change the limit; what is held over a smaller one is given back as its requests end."""
        self._limit = limit
        self._grant()

    def statistics(self) -> BudgetStatistics:
        return BudgetStatistics(self._limit, self._used, self._peak, len(self._waiting))

    def _may_exceed(self, holder: object) -> bool:
        if self._privileged is None:
            self._privileged = holder
        return self._privileged is holder

    def _give(self, size: int) -> None:
        self._used += size
        if self._used > self._peak:
            self._peak = self._used

    def _grant(self) -> None:
        while self._waiting:
            holder, size, granted = self._waiting[0]
            if self._used + size > self._limit and not self._may_exceed(holder):
                return
            self._waiting.popleft()
            self._give(size)
            granted.set()
