"""The duty to answer what one actor asked of another."""

from collections.abc import Callable
from types import TracebackType
from typing import Any


class Question:
    """The duty to answer one ask. The first settlement wins; every later one is ignored.

    deadline: trio time at which the asker gives up. notify: called once, when it is settled; must not raise. holder:
    the set of questions in hand of the incarnation that has taken this one, None while it is queued.
    """

    __slots__ = ("deadline", "error", "holder", "notify", "settled", "traceback", "value")

    def __init__(self, deadline: float, notify: Callable[[], None]) -> None:
        self.deadline = deadline
        self.notify = notify
        self.settled = False
        self.holder: set[Question] | None = None
        self.value: Any = None
        self.error: Exception | None = None
        self.traceback: TracebackType | None = None

    def reply(self, value: object) -> None:
        if not self.settled:
            self.value = value
            self._settle()

    def fail(self, error: Exception) -> None:
        if not self.settled:
            self.error = error
            self.traceback = error.__traceback__
            self._settle()

    def abandon(self) -> None:
        """The asker has left: nobody owes it anything any more."""
        if not self.settled:
            self._settle()

    def take(self, holder: "set[Question]") -> None:
        self.holder = holder
        holder.add(self)

    def hand_over(self) -> None:
        """Whoever holds it does so no more; the duty itself stays."""
        if self.holder is not None:
            self.holder.discard(self)
            self.holder = None

    def _settle(self) -> None:
        self.settled = True
        if self.holder is not None:
            self.hand_over()
        self.notify()
