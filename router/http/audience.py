"""Who reads: the streams that are open, each with its lag, and what all that ever were have been given."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Protocol, Self

from router.names import EnvironmentName


class Reading(Protocol):
    """How far a stream is; see `FeedStatistics`."""

    @property
    def offset(self) -> int: ...
    @property
    def lag(self) -> int: ...
    @property
    def delivered(self) -> int: ...
    @property
    def gaps(self) -> int: ...


@dataclass(frozen=True, slots=True)
class SeatStatistics:
    """One open stream. number: in the order of opening. since: unix ms. consumer: its name, where it has one."""

    number: int
    environment: EnvironmentName
    since: int
    consumer: str | None
    subscription: Reading


@dataclass(frozen=True, slots=True)
class AudienceStatistics:
    """Of one environment. open: streams now. lag: events that the slowest of them is behind; opened, delivered, gaps:
    since the start: streams, events, gaps announced."""

    open: int = 0
    lag: int = 0
    opened: int = 0
    delivered: int = 0
    gaps: int = 0


class Seat:
    """An open stream's place; as a context it is taken for as long as the stream lives."""

    def __init__(
        self,
        audience: "Audience",
        environment: EnvironmentName,
        since: int,
        statistics: Callable[[], Reading],
        consumer: str | None,
    ) -> None:
        self.environment = environment
        self._audience = audience
        self._since = since
        self._consumer = consumer
        self._number = 0
        self.subscription = statistics

    def __enter__(self) -> Self:
        self._number = self._audience.admit(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._audience.dismiss(self)

    def statistics(self) -> SeatStatistics:
        return SeatStatistics(self._number, self.environment, self._since, self._consumer, self.subscription())


class Audience:
    """All streams of the router. refused: for want of room, since the start."""

    def __init__(self) -> None:
        self.refused = 0
        self._seats: dict[Seat, None] = {}
        self._numbers = count(1)
        self._gone: dict[EnvironmentName, AudienceStatistics] = {}

    def __len__(self) -> int:
        return len(self._seats)

    def seat(
        self,
        environment: EnvironmentName,
        since: int,
        statistics: Callable[[], Reading],
        *,
        consumer: str | None = None,
    ) -> Seat:
        """A place for a stream that opened at `since`, unix ms; `statistics` reads how far it is."""
        return Seat(self, environment, since, statistics, consumer)

    def admit(self, seat: Seat) -> int:
        self._seats[seat] = None
        return next(self._numbers)

    def dismiss(self, seat: Seat) -> None:
        del self._seats[seat]
        self._gone[seat.environment] = _joined(self._gone.get(seat.environment), seat, open_=False)

    def seats(self, most: int) -> Iterator[SeatStatistics]:
        """At most `most` open streams, the oldest first."""
        for seat, _ in zip(list(self._seats), range(most), strict=False):
            yield seat.statistics()

    def statistics(self) -> dict[EnvironmentName, AudienceStatistics]:
        found = dict(self._gone)
        for seat in self._seats:
            found[seat.environment] = _joined(found.get(seat.environment), seat, open_=True)
        return found


def _joined(before: AudienceStatistics | None, seat: Seat, *, open_: bool) -> AudienceStatistics:
    before = before or AudienceStatistics()
    subscription = seat.subscription()
    return AudienceStatistics(
        before.open + open_,
        max(before.lag, subscription.lag) if open_ else before.lag,
        before.opened + 1,
        before.delivered + subscription.delivered,
        before.gaps + subscription.gaps,
    )
