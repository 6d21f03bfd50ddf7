"""Addresses as a configuration writes them: where to listen, which web pages may post, where to post on to."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from router.units import shown

MAX_UNIX_PATH: Final = 107  # bytes: sun_path of unix(7) less its NUL
MAX_PORT: Final = 65_535
_PORT: Final = re.compile(r"0|[1-9][0-9]{0,4}")
_DESCRIPTOR: Final = re.compile(r"[1-9][0-9]{0,6}")
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\.?")
_AUTHORITY: Final = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
_ORIGIN: Final = re.compile(rf"[A-Za-z][A-Za-z0-9+.-]*://{_AUTHORITY}")
_URL: Final = re.compile(rf"https?://{_AUTHORITY}(?:/[\x21\x22\x24-\x3e\x40-\x7e]*)?")


def listening(text: str) -> str:
    """An address to listen on, as it was written: `HOST:PORT`, `[IPV6]:PORT`, `unix:/path` or `fd://N`.

    Raises:
        ValueError: it is none of these.
    """
    if text.startswith("unix:"):
        _check_path(text, text.removeprefix("unix:"))
    elif text.startswith("fd://"):
        number = text.removeprefix("fd://")
        if not _DESCRIPTOR.fullmatch(number) or int(number) < 3:
            raise ValueError(f"{shown(text)} names no inherited descriptor: write fd://3 or a higher number")
    else:
        _check_tcp(text, *text.rpartition(":")[::2])
    return text


def is_private(address: str) -> bool:
    """Whether only this machine can reach a checked address: loopback or a unix socket."""
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True  # RFC 6761, 6.3: resolves to loopback always
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def network(text: str) -> str:
    """A network or an address, as in `10.0.0.0/8`.

    Raises:
        ValueError: it is neither.
    """
    try:
        return str(ip_network(text))
    except ValueError:
        raise ValueError(f'{shown(text)} is no network: write "10.0.0.0/8", "2001:db8::/32" or one address') from None


def origin(text: str) -> str:
    """`*`, or the origin of a web page in lower case, as browsers send it (RFC 6454, 6.2).

    Raises:
        ValueError: it is neither.
    """
    if text == "*":
        return text
    match = _ORIGIN.fullmatch(text)
    if match is None or int(match["port"] or 0) > MAX_PORT:
        raise ValueError(
            f'{shown(text)} is no origin: write "*" or scheme, host and port only, as in "https://shop.example"'
        )
    return text.lower()


def url(text: str) -> str:
    """An http or https URL without the slash at its end. It is never shown: it may hold a password by mistake.

    Raises:
        ValueError: it is something else, or holds a user, a query or a fragment.
    """
    match = _URL.fullmatch(text)
    if match is None or int(match["port"] or 0) > MAX_PORT:
        raise ValueError(
            'is no URL to post to: write one as in "https://hub.example", without user, query and fragment'
        )
    return text.rstrip("/")


def _check_path(text: str, path: str) -> None:
    if not path.startswith("/") or path.endswith("/") or "\0" in path:
        raise ValueError(f"{shown(text)} has no absolute path of a socket: write unix:/run/router/router.sock")
    if len(path.encode("utf-8", "surrogateescape")) > MAX_UNIX_PATH:
        raise ValueError(f"{shown(text)} is longer than {MAX_UNIX_PATH} bytes, all that a socket may have: shorten it")


def _check_tcp(text: str, host: str, port: str) -> None:
    if not host and not _PORT.fullmatch(port):
        raise ValueError(f'{shown(text)} is no address: write "127.0.0.1:8080", "[::1]:8080", "unix:/path" or "fd://3"')
    if not _PORT.fullmatch(port) or int(port) > MAX_PORT:
        raise ValueError(f'{shown(text)} has no port from 0 to {MAX_PORT} at its end: write "127.0.0.1:8080"')
    if not host:
        raise ValueError(f'{shown(text)} has no host: for all addresses write "0.0.0.0:{port}" or "[::]:{port}"')
    if host.startswith("[") and host.endswith("]"):
        try:
            IPv6Address(host[1:-1])
        except ValueError:
            raise ValueError(f'{shown(text)} has no IPv6 address in its brackets: write "[::1]:{port}"') from None
    elif ":" in host:
        raise ValueError(f'{shown(text)} has a colon too many: write "[::1]:{port}" for IPv6, and no "http://"')
    elif not _HOST.fullmatch(host):
        raise ValueError(f"{shown(text)} has no host before its port: write a name or an address")
    elif host.replace(".", "").isdigit():
        try:
            IPv4Address(host)
        except ValueError:
            raise ValueError(f"{shown(text)} has no IPv4 address before its port: write four numbers to 255") from None
