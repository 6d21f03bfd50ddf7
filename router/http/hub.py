"""All streams of the fast lane, by environment: woken together when there is something new for them."""

from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from router.http.services import Services
from router.http.streams import Streams
from router.http.subscriber import Subscriber
from router.names import EnvironmentName
from router.pipeline.watermark import Watermark

TURN: Final = 64  # readers that are given something before other tasks have a turn: half a millisecond


@dataclass(frozen=True, slots=True)
class HubStatistics:
    """streams: open; behind: of them with a task that catches up; rounds: in which all of an environment were given
    what was new."""

    streams: int
    behind: int
    rounds: int


class Circle:
    """The readers of one environment."""

    __slots__ = ("fresh", "readers", "watermark")

    def __init__(self, watermark: Watermark) -> None:
        self.watermark = watermark
        self.readers: dict[Subscriber, None] = {}
        self.fresh = False


class Hub:
    """Runs as one task, `run`."""

    def __init__(self, services: Services, streams: Streams) -> None:
        self._services = services
        self._streams = streams
        self._circles: dict[EnvironmentName, Circle] = {}
        self._wake = trio.Event()
        self._whole = b""
        self._framed = b""
        self._rounds = 0

    def enter(self, subscriber: Subscriber) -> None:
        """A stream begins."""
        name = subscriber.feed.environment
        circle = self._circles.get(name)
        if circle is None:
            circle = self._circles[name] = Circle(self._services.environments[name].watermark)
            circle.watermark.listen(circle, partial(self._moved, circle))
        circle.readers[subscriber] = None
        self._streams.enter(subscriber.feed, subscriber.token)

    def leave(self, subscriber: Subscriber) -> None:
        """A stream has ended."""
        name = subscriber.feed.environment
        circle = self._circles[name]
        del circle.readers[subscriber]
        if not circle.readers:
            circle.watermark.unlisten(circle)
            del self._circles[name]
        self._streams.leave(subscriber.feed)

    def framed(self, data: bytes) -> bytes:
        """As a chunk of a chunked answer: of an answer that the end of the connection ends, urllib3 waits for a whole
        buffer. Readers at the same place are given the same object, whose frame is made once."""
        if data is not self._whole:
            self._whole = data
            self._framed = b"%x\r\n%b\r\n" % (len(data), data)
        return self._framed

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Give the readers what comes, until cancelled."""
        task_status.started()
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            for circle in list(self._circles.values()):
                if circle.fresh:
                    circle.fresh = False
                    # At once, although a round of a thousand takes as long as the time between two events: resting in
                    # between let events gather and cost more than it saved (p99 57 ms instead of 35, measured).
                    await self._round(circle)

    def statistics(self) -> HubStatistics:
        readers = [reader for circle in self._circles.values() for reader in circle.readers]
        return HubStatistics(len(readers), sum(not reader.live for reader in readers), self._rounds)

    def _moved(self, circle: Circle) -> None:
        """There is something new. Only noted here: who moves the watermark has senders waiting for their answers."""
        circle.fresh = True
        self._wake.set()

    async def _round(self, circle: Circle) -> None:
        self._rounds += 1
        for place, reader in enumerate(list(circle.readers), 1):
            if reader.live and reader.feed.ready:
                try:
                    reader.pump()
                except Exception as error:  # noqa: BLE001 - it must not end the streams of others
                    reader.failed(error)
            if place % TURN == 0:
                await trio.lowlevel.checkpoint()
