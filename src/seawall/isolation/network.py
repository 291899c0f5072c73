"""Which networks, ports and names a container may have.

A container joins networks of its own: never the host's, never another container's. Published host
ports below 1024 other than 80 and 443 are refused: a container that answers on the port of SSH,
DNS or mail speaks in the name of the machine.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from seawall.isolation.problem import Problem
from seawall.isolation.workload import PortBinding

PRIVILEGED_PORTS_ALLOWED: Final = frozenset({80, 443})

_NETWORK: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}", re.ASCII)
_PORT: Final = re.compile(r"([0-9]{1,5})/(?:tcp|udp|sctp)", re.ASCII)
_HOST_PORT: Final = re.compile(r"(?:([0-9]{1,5})(?:-([0-9]{1,5}))?)?", re.ASCII)
_DOMAIN: Final = re.compile(r"[a-zA-Z0-9_.-]{1,253}", re.ASCII)
_DNS_OPTION: Final = re.compile(r"[a-zA-Z0-9_.:-]{1,64}", re.ASCII)
_PORT_MAX: Final = 65535


def network_problems(name: str) -> Iterator[Problem]:
    """Judge a network's name or id, in NetworkMode and in EndpointsConfig."""
    if name == "":
        return
    if name.casefold() == "host":
        yield Problem("the host's own network", "drop --network host; publish ports with -p")
    elif name.startswith("container:"):
        yield Problem(f"the network of {name!r}", "use a user network for both containers")
    elif _NETWORK.fullmatch(name) is None:
        yield Problem(f"network {name[:200]!r}", "name a network that `docker network ls` shows")


def port_key_problems(key: str) -> Iterator[Problem]:
    """Judge a container port such as `80/tcp`."""
    match = _PORT.fullmatch(key)
    if match is None or not 0 < int(match[1]) <= _PORT_MAX:
        yield Problem(f"container port {key[:60]!r}", "write it PORT/tcp, PORT/udp or PORT/sctp")


def port_problems(bindings: dict[str, tuple[PortBinding, ...] | None]) -> Iterator[Problem]:
    """Judge HostConfig.PortBindings."""
    for key, published in bindings.items():
        yield from port_key_problems(key)
        for binding in published or ():
            yield from _host_port(binding.host_port or "")
            if binding.host_ip and not _is_address(binding.host_ip):
                yield Problem(f"host address {binding.host_ip[:60]!r}", "give an IP address")


def extra_host_problems(entries: tuple[str, ...]) -> Iterator[Problem]:
    """Judge HostConfig.ExtraHosts, `name:address`."""
    for entry in entries:
        name, _, address = entry.partition(":")
        if address == "host-gateway":
            yield Problem(f"{entry[:200]!r} opens a way to the host", "drop it from --add-host")
        elif _DOMAIN.fullmatch(name) is None or not _is_address(address.strip("[]")):
            yield Problem(f"extra host {entry[:200]!r}", "write it NAME:IP-ADDRESS")


def dns_problems(servers: tuple[str, ...]) -> Iterator[Problem]:
    """Judge HostConfig.Dns."""
    for server in servers:
        if not _is_address(server):
            yield Problem(f"name server {server[:100]!r}", "give an IP address to --dns")


def dns_search_problems(domains: tuple[str, ...]) -> Iterator[Problem]:
    """Judge HostConfig.DnsSearch."""
    for domain in domains:
        if _DOMAIN.fullmatch(domain) is None:
            yield Problem(f"search domain {domain[:100]!r}", "give a domain to --dns-search")


def dns_option_problems(options: tuple[str, ...]) -> Iterator[Problem]:
    """Judge HostConfig.DnsOptions."""
    for option in options:
        if _DNS_OPTION.fullmatch(option) is None:
            yield Problem(f"resolver option {option[:100]!r}", "see resolv.conf(5)")


def is_host_name(text: str) -> bool:
    """Tell whether `text` is a plain host or domain name."""
    return _DOMAIN.fullmatch(text) is not None


def _host_port(text: str) -> Iterator[Problem]:
    match = _HOST_PORT.fullmatch(text)
    if match is None:
        yield Problem(f"host port {text[:60]!r}", "give a number, or FROM-TO")
        return
    if match[1] is None:
        return
    first, last = int(match[1]), int(match[2] or match[1])
    if not first <= last <= _PORT_MAX:
        yield Problem(f"host port {text!r}", "give a number up to 65535, or FROM-TO")
    elif any(
        port not in PRIVILEGED_PORTS_ALLOWED for port in range(max(first, 1), min(last, 1023) + 1)
    ):
        yield Problem(
            f"host port {text} belongs to the machine's own services",
            "publish 80, 443 or a port from 1024 on",
        )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text
