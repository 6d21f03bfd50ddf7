"""Whose request it is, and how many of one address are served at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Network = IPv4Network | IPv6Network
MAX_HOPS: Final = 20  # entries of X-Forwarded-For that are looked at, the nearest first
SITE: Final = 64  # bits of an IPv6 address that one customer has whole


class Proxies:
    """The networks whose word about their own peers is believed; a unix socket is always one of them."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks: tuple[Network, ...] = tuple(ip_network(text) for text in networks)
        self.trusts = lru_cache(4096)(self._trusts)

    def client(self, peer: str, forwarded: str) -> str:
        """The address that a request comes from.

        peer: of the connection; empty for a unix socket. forwarded: `X-Forwarded-For`, each proxy's peer appended; the
        nearest entry that is no trusted proxy is the client, and whatever stands before it is hearsay.
        """
        if not forwarded or not self.trusts(peer):
            return peer
        client = peer
        for entry in reversed(forwarded.split(",")[-MAX_HOPS:]):
            client = entry.strip()
            if not self.trusts(client):
                break
        return client

    def _trusts(self, address: str) -> bool:
        if not address:
            return True
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self._networks)


def site(address: str) -> str:
    """What is counted as one client: an IPv4 address, or the 64 bits of an IPv6 one that its holder has to himself."""
    if ":" not in address:
        return address
    try:
        parsed = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((parsed, SITE), strict=False))


@dataclass(frozen=True, slots=True)
class CrowdStatistics:
    """addresses: with something open; refused: since the start."""

    addresses: int
    refused: int


class Crowd:
    """Counts what each address has open."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}
        self._refused = 0

    def enter(self, address: str, most: int) -> bool:
        """Count one more of `address`; False, and not counted, where it has `most` already. 0 is no limit."""
        count = self._open.get(address, 0)
        if most and count >= most:
            self._refused += 1
            return False
        self._open[address] = count + 1
        return True

    def leave(self, address: str) -> None:
        """One that `enter` has counted is gone."""
        if self._open[address] == 1:
            del self._open[address]
        else:
            self._open[address] -= 1

    def statistics(self) -> CrowdStatistics:
        return CrowdStatistics(len(self._open), self._refused)
