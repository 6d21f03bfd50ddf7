"""Listening sockets from bind addresses, with the options that a server of strangers needs."""

import os
import socket
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

UNIX_MODE: Final = 0o660


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket and its address as people write it."""

    socket: socket.socket
    address: str

    def close(self) -> None:
        self.socket.close()


def open_listeners(
    binds: Sequence[str], *, backlog: int, user_timeout: float, tls: bool = False
) -> tuple[Listener, ...]:
    """Listen on `HOST:PORT`, `[IPV6]:PORT`, `unix:/path` or `fd://N`.

    backlog: connections that wait to be accepted. user_timeout: seconds after which a peer that acknowledges nothing is
    dropped; accepted sockets inherit it from the listener (tcp(7)).

    Raises:
        OSError: an address cannot be had; the message names it.
    """
    opened: list[Listener] = []
    for bind in binds:
        try:
            opened.append(_open(bind, tls))
            _listen(opened[-1].socket, backlog, user_timeout)
        except OSError as error:
            for listener in opened:
                listener.close()
            reason = (error.strerror or str(error)).lower()
            raise OSError(error.errno, f"cannot listen on {bind}: {reason}") from error
    return tuple(opened)


def _listen(opened: socket.socket, backlog: int, user_timeout: float) -> None:
    if opened.family != socket.AF_UNIX:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(user_timeout * 1000))
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    opened.listen(backlog)


def _open(bind: str, tls: bool) -> Listener:
    if bind.startswith("unix:"):
        path = bind.removeprefix("unix:")
        return Listener(_unix(path), bind)
    if bind.startswith("fd://"):
        inherited = socket.socket(fileno=int(bind.removeprefix("fd://")))
        return Listener(inherited, _printable(inherited, tls))
    host, _, port = bind.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((host, int(port)))
    except OSError:
        opened.close()
        raise
    return Listener(opened, _printable(opened, tls))


def _unix(path: str) -> socket.socket:
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode):
            _remove_stale(path)
        opened.bind(path)
        os.chmod(path, UNIX_MODE)
    except OSError:
        opened.close()
        raise
    return opened


def _remove_stale(path: str) -> None:
    """A socket file that nobody answers on is left from a router that was killed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a live one with a full backlog would make us wait
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except BlockingIOError:
            pass


def _printable(opened: socket.socket, tls: bool) -> str:
    name = opened.getsockname()
    if opened.family == socket.AF_UNIX:
        # The name of an abstract socket is bytes that begin with a NUL, written as @ (unix(7), systemd.socket(5)).
        return f"unix:{name if isinstance(name, str) else name.decode(errors='replace').replace(chr(0), '@')}"
    host = f"[{name[0]}]" if opened.family == socket.AF_INET6 else name[0]
    return f"{'https' if tls else 'http'}://{host}:{name[1]}"
