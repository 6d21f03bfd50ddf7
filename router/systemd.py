"""Telling the service manager: one datagram a message, as sd_notify(3) says. Silent where nobody listens."""

import socket
from collections.abc import Mapping

from router.clocks import monotonic_usec


class Notifier:
    """Sends state to `$NOTIFY_SOCKET`; does nothing where it is not set."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path

    def ready(self, status: str) -> None:
        """Events can be posted."""
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it. The time tells systemd that this is the reload it asked for
        (sd_notify(3), MONOTONIC_USEC)."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={monotonic_usec()}")

    def stopping(self) -> None:
        """The orderly stop has begun."""
        self._send("STOPPING=1\nSTATUS=draining")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.sendto(state.encode(), self._address)
