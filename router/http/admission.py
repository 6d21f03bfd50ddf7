"""Which new connections are let in: so many in all, so many from one address."""

from dataclasses import dataclass, field
from typing import Final

from router.http.clients import Crowd, Proxies, site

FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Type: application/json\r\n"
    b'Content-Length: 54\r\n\r\n{"success":false,"message":"too many connections now"}'
)
"""What one that is not let in hears; LaunchDarkly's SDKs read the status alone, Statsig's want JSON."""


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """max_connections: open at once; max_per_address: of them from one address that is no trusted proxy, 0 for any."""

    max_connections: int = 20_000
    max_per_address: int = 1000
    proxies: Proxies = field(default_factory=lambda: Proxies(("127.0.0.0/8", "::1/128")))


@dataclass(frozen=True, slots=True)
class AdmissionStatistics:
    """open: counted now; addresses: that they come from; crowded, full: turned away since the start because of one
    address, of all."""

    open: int
    addresses: int
    crowded: int
    full: int


class Admission:
    """Counts connections by address; `limits` may be replaced at any time."""

    def __init__(self, limits: AdmissionLimits | None = None) -> None:
        self.limits = limits or AdmissionLimits()
        self._crowd = Crowd()
        self._open = 0
        self._full = 0

    @property
    def full(self) -> bool:
        """Whether another one would be too many."""
        return self._open >= self.limits.max_connections

    def enter(self, address: str) -> bool:
        """Count a connection from `address`, empty for a unix socket; False, and not counted, where it is too many."""
        if self.full:
            self._full += 1
            return False
        most = 0 if self.limits.proxies.trusts(address) else self.limits.max_per_address
        if not self._crowd.enter(site(address), most):
            return False
        self._open += 1
        return True

    def leave(self, address: str) -> None:
        """One that `enter` has counted is gone."""
        self._open -= 1
        self._crowd.leave(site(address))

    def statistics(self) -> AdmissionStatistics:
        crowd = self._crowd.statistics()
        return AdmissionStatistics(self._open, crowd.addresses, crowd.refused, self._full)
