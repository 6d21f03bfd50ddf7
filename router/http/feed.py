"""One stream, from its greeting to its end, as pieces of bytes: what any front writes to its reader."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final

import msgspec
import trio

from router import sse
from router.http.services import Services
from router.http.stream_query import Asked, Start, moment
from router.names import Cursor
from router.pipeline.environments import Environment
from router.pipeline.subscription import Chunk, Gap, Subscription

RETRY_RANGE: Final = (500, 5000)  # milliseconds; spread so that the readers of a stopped router do not return at once
AGE_JITTER: Final = 0.2  # of the maximum age, so that streams that began together do not end together


@dataclass(frozen=True, slots=True)
class FeedStatistics:
    """offset: next to be delivered; lag: events behind the watermark; delivered: events; gaps: announced."""

    offset: int
    lag: int
    delivered: int
    gaps: int


class Feed:
    """Made when a request for a stream is accepted. Neither task nor queue: `next` is called for each piece.

    Ends when the router stops, at `until`, when the stream has reached the maximum age, and at `end`.

    stir: called at `end`; set by who waits without `next`.
    """

    def __init__(self, services: Services, environment: Environment, asked: Asked, start: Start) -> None:
        self.environment = environment.name
        self.consumer = asked.consumer
        self._environment = environment
        self.heartbeat = services.streams.heartbeat
        self._lines = asked.lines
        self._random = services.random
        self._clock = services.clock
        self._until: int | None = None
        self._subscription = Subscription(
            environment.log,
            environment.watermark,
            environment.tail,
            start.offset,
            wanted=asked.wanted,
            style=asked.style,
            until=self._end(asked),
        )
        self._opening: bytes | None = self._greeting(start)
        self._ended = False
        self._ending = False
        self._waiting: trio.CancelScope | None = None
        self.stir: Callable[[], None] | None = None
        age = services.streams.max_age
        self._deadline = trio.current_time() + age * (1 - AGE_JITTER * services.random.random()) if age else inf

    async def next(self) -> bytes | None:
        """Everything between the cursor and the watermark in one piece, or a heartbeat; None at the end."""
        if self._opening is not None or self._ending:
            return self.take()
        quiet = trio.current_time() + self.heartbeat
        while True:
            with trio.move_on_at(min(quiet, self.wakes)) as self._waiting:
                await self._subscription.wait()
            data = self.take()
            if data or data is None:
                return data
            if trio.current_time() >= quiet:
                return self.beat

    def take(self) -> bytes | None:
        """As `next`, without waiting: empty where there is nothing now."""
        if self._ending:
            return None if self._ended else self._farewell()
        if self._opening is not None:
            opening, self._opening = self._opening, None
            return opening
        if self._ended:
            return None
        if not self._subscription.ready:
            if trio.current_time() >= self._deadline:
                return self._farewell()
            if self._until is None or self._clock.now() < self._until:
                return b""
            self._settle_end()
            return self.take()
        if self._subscription.ended:
            return self._farewell()
        step = self._subscription.step()
        return step.data if isinstance(step, Chunk) else self._gap(step)

    @property
    def ready(self) -> bool:
        """Whether `take` may have something now, or the end."""
        return self._ended or self._ending or self._opening is not None or self._subscription.ready

    def end(self) -> None:
        """Hand out nothing more, whatever there is: the stream is over, as at its maximum age."""
        self._ending = True
        if self._waiting is not None:
            self._waiting.cancel(reason="the stream is ended")
        if self.stir is not None:
            self.stir()

    @property
    def wakes(self) -> float:
        """Trio time at which `take` is worth a call although nothing has come."""
        if self._until is None:
            return self._deadline
        return min(self._deadline, trio.current_time() + max(0, self._until - self._clock.now()) / 1000)

    @property
    def beat(self) -> bytes:
        """What is sent on a quiet stream every `heartbeat` seconds."""
        return b"\n" if self._lines else sse.HEARTBEAT

    def statistics(self) -> FeedStatistics:
        found = self._subscription.statistics()
        return FeedStatistics(found.offset, found.lag, found.delivered, found.gaps)

    def _end(self, asked: Asked) -> float:
        """The offset to stop before; infinite while the time to stop at has not come."""
        log, end = self._environment.log, self._environment.watermark.end
        if asked.until is None:
            return inf
        if asked.until == "now":
            return end
        self._until = moment(asked.until)
        if self._until is None or self._until > self._clock.now():
            return inf
        return log.offset_at(self._until, end)

    def _settle_end(self) -> None:
        """The time to stop at has come."""
        until, self._until = self._until, None
        if until is not None:
            self._subscription.until = self._environment.log.offset_at(until, self._environment.watermark.end)

    def _farewell(self) -> bytes | None:
        self._ended = True
        if self._lines or self._subscription.offset >= self._subscription.until:
            return None
        return sse.retry(self._random.randint(*RETRY_RANGE))

    def _greeting(self, start: Start) -> bytes:
        if start.foreign is None:
            return b"\n" if self._lines else sse.HEARTBEAT  # flushes the headers: a browser's onopen fires at once
        return self._message("reset", {"from": start.foreign, "to": self._cursor(start.offset)}, start.offset)

    def _gap(self, gap: Gap) -> bytes:
        data: dict[str, object] = {
            "from": self._cursor(gap.first),
            "to": self._cursor(gap.last + 1),
            "lost": gap.lost,
            "reason": gap.reason,
        }
        return self._message("gap", data, gap.last + 1)

    def _message(self, name: str, data: dict[str, object], offset: int) -> bytes:
        """Out of band: as lines, an object that no SDK sends, whose first member names it."""
        if self._lines:
            return msgspec.json.encode({"event": name} | data) + b"\n"
        return sse.out_of_band(name, msgspec.json.encode(data), cursor=self._cursor(offset))

    def _cursor(self, offset: int) -> str | None:
        return str(Cursor(self._environment.log.epoch, offset - 1)) if offset else None
