"""Telling the service manager: one datagram a message, as sd_notify(3) says. Silent where nobody listens."""

import socket
from collections.abc import Mapping
from typing import Final

import structlog

from router.clocks import monotonic_usec

LONGEST_INTERVAL: Final = 5.0  # seconds between two status lines, whatever the watchdog asks for
FEEDINGS: Final = 3  # in each period of the watchdog, so that one late beat is no death
PATIENCE: Final = 1.0  # seconds for what is said once; the service manager may be busy with something else

_log = structlog.get_logger(__name__)


class Notifier:
    """Sends state to `$NOTIFY_SOCKET`; does nothing where it is not set.

    interval: seconds between two calls of `beat` that the service manager's watchdog, if it has one, asks for.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        period = _period(environ)
        self._watched = period is not None
        self.interval = LONGEST_INTERVAL if period is None else min(LONGEST_INTERVAL, period / FEEDINGS)

    def ready(self, status: str) -> None:
        """Events can be posted."""
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it. The time tells systemd that this is the reload it asked for
        (sd_notify(3), MONOTONIC_USEC)."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={monotonic_usec()}")

    def beat(self, *, alive: bool, status: str | None) -> None:
        """Feed the watchdog where all is well, and renew the line for people where there is a new one."""
        lines = ["WATCHDOG=1"] if alive and self._watched else []
        if status is not None:
            lines.append(f"STATUS={status}")
        if lines:
            self._send("\n".join(lines), patience=0.0)

    def recovering(self, seconds: float, status: str) -> None:
        """The start goes on for up to `seconds` from now: it is not to be taken for one that hangs."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1_000_000)}\nSTATUS={status}")

    def stopping(self) -> None:
        """The orderly stop has begun."""
        self._send("STOPPING=1\nSTATUS=draining")

    def _send(self, state: str, patience: float = PATIENCE) -> None:
        """A service manager that does not listen must not hold up the loop, let alone end the router."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(patience)
            try:
                sender.sendto(state.encode(), self._address)
            except OSError as error:
                _log.warning("the service manager did not hear this", state=state, error=str(error))


def _period(environ: Mapping[str, str]) -> float | None:
    """Seconds after which the watchdog bites; None where there is none (sd_watchdog_enabled(3)).

    `WATCHDOG_PID` is not looked at: a wrapper such as `systemd-run` or a shell may have passed it on.
    """
    period = environ.get("WATCHDOG_USEC", "")
    return int(period) / 1_000_000 if period.isdigit() and int(period) else None
