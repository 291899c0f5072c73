"""Where a request may go.

Whoever can make a server follow a redirect can make it talk to places that only it reaches: the
metadata service of a cloud, the database next door (CWE-918). Rules:

1. Only `https`; plain `http` only to this machine itself.
2. The host that the operator configured may be anywhere.
3. A redirect to another host must lead to global addresses only; or, when the configured host is
   this machine itself, to this machine.
4. The address that was checked is the address that is connected to: a name is resolved once per
   request, so that a second answer of the resolver changes nothing (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import socket
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from seawall.net.errors import FetchError, ForbiddenAddressError

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve: TypeAlias = Callable[[str, int], tuple[Address, ...]]

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
URL_MAX_CHARS: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One server, with the address that was checked."""

    scheme: str
    host: str
    port: int
    target: str  # path and query, for the request line
    address: Address

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_default = self.port == _DEFAULT_PORTS[self.scheme]
        return host if is_default else f"{host}:{self.port}"


def resolve(host: str, port: int) -> tuple[Address, ...]:
    """Return the addresses of a host, in the order of the system's resolver."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FetchError(
            f"the name {host} does not resolve", remedy="look at the URL and at the network"
        ) from error
    return tuple(ipaddress.ip_address(str(item[4][0]).partition("%")[0]) for item in found)


def place(url: str, *, first: Place | None, resolver: Resolve = resolve) -> Place:
    """Return where `url` leads. `first` is the configured place when `url` is a redirect.

    Raises ForbiddenAddressError when the rules say no, FetchError when the name is unknown.
    """
    scheme, host, port, target = _parts(url)
    addresses = resolver(host, port)
    if not addresses:
        raise FetchError(f"the name {host} has no address")
    # Rule 3: every address counts, since any of them could be connected to later.
    for address in addresses:
        _check(scheme, host, address, first)
    return Place(scheme=scheme, host=host, port=port, target=target, address=addresses[0])


def plain(address: Address) -> Address:
    """Look through IPv4 addresses that are dressed as IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _check(scheme: str, host: str, address: Address, first: Place | None) -> None:
    is_local = plain(address).is_loopback
    if scheme == "http" and not is_local:
        raise ForbiddenAddressError(
            f"plain HTTP to {host} can be read and changed on the way",
            remedy="use an https:// URL",
        )
    if first is None or host == first.host:
        return
    if is_local and plain(first.address).is_loopback:
        return
    if not plain(address).is_global or plain(address).is_multicast:
        raise ForbiddenAddressError(
            f"{first.host} redirects to {host}, which is not on the public network",
            remedy="configure the right URL directly if this place is meant",
        )


def _parts(url: str) -> tuple[str, str, int, str]:
    if len(url) > URL_MAX_CHARS or not url.isascii() or any(c <= " " or c == "\x7f" for c in url):
        raise FetchError("the URL is too long or holds characters that no URL has")
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise FetchError(f"not a URL: {url[:200]!r}") from error
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ForbiddenAddressError(f"only http and https are spoken, not {url[:200]!r}")
    if parts.username is not None or parts.password is not None:
        raise ForbiddenAddressError("a URL with a user or password in it")
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    return parts.scheme, parts.hostname, port, target
