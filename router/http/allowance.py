"""How often a token may ask: counted in windows of ten seconds, told in LaunchDarkly's headers.

Source: protocols/launchdarkly.md 4.4.
"""

from dataclasses import dataclass
from typing import Final

WINDOW: Final = 10_000  # ms
GLOBAL: Final = 2000  # requests of one token in a window
ROUTE: Final = 1000  # the same, of one route


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left in the window that ends at `reset`, unix ms; `granted` is False where this request was too many."""

    granted: bool
    left: int
    left_on_route: int
    reset: int

    def headers(self) -> dict[str, str]:
        """The headers of an answer."""
        return {
            "X-Ratelimit-Global-Remaining": str(self.left),
            "X-Ratelimit-Route-Remaining": str(self.left_on_route),
            "X-Ratelimit-Reset": str(self.reset),
        }


class Allowances:
    """Counts requests by token; forgets everything when a window ends."""

    def __init__(self, most: int = GLOBAL, most_on_route: int = ROUTE) -> None:
        self._most = most
        self._most_on_route = most_on_route
        self._window = 0
        self._asked: dict[str, int] = {}
        self._asked_on_route: dict[tuple[str, str], int] = {}

    def ask(self, token: str, route: str, now: int) -> Allowance:
        """Count a request at `now`, unix ms."""
        window = now // WINDOW
        if window != self._window:
            self._window = window
            self._asked.clear()
            self._asked_on_route.clear()
        asked = self._asked[token] = self._asked.get(token, 0) + 1
        on_route = self._asked_on_route[token, route] = self._asked_on_route.get((token, route), 0) + 1
        left, left_on_route = self._most - asked, self._most_on_route - on_route
        return Allowance(left >= 0 and left_on_route >= 0, max(0, left), max(0, left_on_route), (window + 1) * WINDOW)
