"""The only door to threads: named limiters, so that one kind of slow call never starves another."""

from collections.abc import Callable
from typing import TypeVar

import trio

T = TypeVar("T")


class Threads:
    """Where blocking calls run.

    None of the calls can be abandoned half-way: whoever waits, waits to the end, so that no result is ever unknown
    because of a cancellation.
    """

    def __init__(self) -> None:
        self._sync = trio.CapacityLimiter(1)
        self._cold = trio.CapacityLimiter(4)
        self._decode = trio.CapacityLimiter(1)
        self._maintenance = trio.CapacityLimiter(1)

    async def sync(self, call: Callable[[], T]) -> T:
        """Run a WAL sync: one at a time, since a second would only wait inside RocksDB."""
        return await trio.to_thread.run_sync(call, limiter=self._sync)  # noqa: TID251 - the one place that may

    async def cold(self, call: Callable[[], T]) -> T:
        """Run something long that releases the GIL: decompression of a large body, a catch-up read."""
        return await trio.to_thread.run_sync(call, limiter=self._cold)  # noqa: TID251 - the one place that may

    async def decode(self, call: Callable[[], T]) -> T:
        """Take a large body apart: one at a time, so that hostile ones take no more than one core and one body's memory
        from everybody else."""
        return await trio.to_thread.run_sync(call, limiter=self._decode)  # noqa: TID251 - the one place that may

    async def maintenance(self, call: Callable[[], T]) -> T:
        """Run a flush, compaction, close: long, and never two at once."""
        return await trio.to_thread.run_sync(call, limiter=self._maintenance)  # noqa: TID251 - the one place that may
