"""Bytes to a peer that does not take them at once."""

import os
import socket
from enum import Enum, auto
from typing import Final

import trio

PIECE: Final = 64 * 1024  # bytes that have a deadline of their own


class Sent(Enum):
    """How it ended."""

    ALL = auto()
    TOO_SLOW = auto()
    GONE = auto()


async def send(opened: socket.socket, data: bytes, timeout: float) -> Sent:
    """Send all of `data`; each piece within `timeout` seconds: a peer may be slow, but not stand still."""
    view = memoryview(data)
    descriptor = opened.fileno()
    while view:
        left = PIECE
        with trio.move_on_after(timeout) as scope:
            while left > 0 and view:
                try:
                    await trio.lowlevel.wait_writable(opened)
                    if opened.fileno() != descriptor:
                        return Sent.GONE
                    count = os.write(descriptor, view[:PIECE])
                except BlockingIOError:
                    continue
                except (OSError, trio.ClosedResourceError):
                    return Sent.GONE
                view = view[count:]
                left -= count
        if scope.cancelled_caught:
            return Sent.TOO_SLOW
    return Sent.ALL
