"""Connections off a listening socket."""

import errno
import logging
import socket
from collections.abc import Callable
from typing import Final

import trio

TURN: Final = 64  # connections accepted before other tasks have a turn
PAUSE: Final = 0.1  # seconds without a file descriptor or memory for another one, until some have been closed
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)

_log = logging.getLogger(__name__)


async def accept(
    listening: socket.socket,
    arrived: Callable[[socket.socket, str], None],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Accept until cancelled, on a duplicate of `listening`; `arrived` is called with each non-blocking socket and the
    address of its peer, empty for a unix socket."""
    with listening.dup() as own:
        own.setblocking(False)
        task_status.started()
        while True:
            await trio.lowlevel.wait_readable(own)
            for _ in range(TURN):
                try:
                    opened, peer = own.accept()
                except BlockingIOError:
                    break
                except OSError as error:
                    if error.errno not in _EXHAUSTED:
                        continue  # that one was gone before it was accepted
                    _log.error("no connection can be accepted for now: %s", error)
                    await trio.sleep(PAUSE)
                    break
                opened.setblocking(False)
                arrived(opened, str(peer[0]) if isinstance(peer, tuple) else "")
