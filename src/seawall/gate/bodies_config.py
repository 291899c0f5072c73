"""The part of containers/create beside HostConfig: what runs, and which networks it joins."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Final

from seawall.core.reason import Reason
from seawall.gate.schema import CreateBody, Endpoint, NetworkingConfig
from seawall.isolation import files, network, problem
from seawall.isolation.problem import Problem
from seawall.isolation.workload import WorkloadSpec

_SIGNAL: Final = re.compile(r"[A-Za-z0-9+-]{0,20}", re.ASCII)
_MAC: Final = re.compile(r"[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}", re.ASCII)
_OWN_NETWORKS: Final = frozenset({"", "default", "bridge", "none"})
_ENGINE_ONLY: Final = (
    "network_id", "endpoint_id", "gateway", "ip_address", "ip_prefix_len", "ipv6_gateway",
    "global_ipv6_address", "global_ipv6_prefix_len", "dns_names",
)  # fmt: skip
"""What the engine reports about an endpoint; clients send the zero values back."""


def check(model: CreateBody) -> tuple[Reason, ...]:
    """Return why the settings beside HostConfig are refused."""
    return problem.first(
        found.under(rule) for rule, found in itertools.chain(_container(model), _endpoints(model))
    )


def networks(model: CreateBody) -> tuple[str, ...]:
    """Return the networks that are joined, the engine's own left out, sorted."""
    names = set(_endpoints_config(model))
    if model.host_config and model.host_config.network_mode:
        names.add(model.host_config.network_mode)
    return tuple(sorted(names - _OWN_NETWORKS))


def rebuild(
    model: CreateBody, *, image: str, labels: dict[str, str], spec: WorkloadSpec
) -> CreateBody:
    """Return the body to send, built from nothing: only what is named here travels on."""
    mounted = {(m.target or "").removesuffix("/") for m in spec.mounts or ()}
    volumes = {p: v for p, v in (model.volumes or {}).items() if p.removesuffix("/") not in mounted}
    endpoints: dict[str, Endpoint | None] = {
        name: _endpoint(e) for name, e in _endpoints_config(model).items()
    }
    return CreateBody(
        image=image,
        labels=labels,
        host_config=spec,
        hostname=model.hostname,
        domainname=model.domainname,
        user=model.user,
        attach_stdin=model.attach_stdin,
        attach_stdout=model.attach_stdout,
        attach_stderr=model.attach_stderr,
        exposed_ports=model.exposed_ports,
        tty=model.tty,
        open_stdin=model.open_stdin,
        stdin_once=model.stdin_once,
        env=model.env,
        cmd=_words(model.cmd),
        healthcheck=model.healthcheck,
        volumes=volumes or None,
        working_dir=model.working_dir,
        entrypoint=_words(model.entrypoint),
        network_disabled=model.network_disabled,
        mac_address=model.mac_address,
        stop_signal=model.stop_signal,
        stop_timeout=model.stop_timeout,
        shell=model.shell,
        networking_config=NetworkingConfig(endpoints_config=endpoints) if endpoints else None,
    )


def _container(model: CreateBody) -> Iterator[tuple[str, Problem]]:
    for path in model.volumes or ():
        yield from (("container/Volumes", p) for p in files.target_problems(path))
    for key in model.exposed_ports or ():
        yield from (("container/ExposedPorts", p) for p in network.port_key_problems(key))
    for name in (model.hostname, model.domainname):
        if name and not network.is_host_name(name):
            yield (
                "container/Hostname",
                Problem(f"host name {name[:100]!r}", "use letters, digits, -"),
            )
    if model.stop_signal and _SIGNAL.fullmatch(model.stop_signal) is None:
        yield "container/StopSignal", Problem(f"signal {model.stop_signal[:40]!r}", "use SIGTERM")
    if model.mac_address and _MAC.fullmatch(model.mac_address) is None:
        yield "container/MacAddress", Problem("a malformed address", "write 02:42:ac:11:00:02")
    if model.on_build:
        yield "container/OnBuild", Problem("triggers for a build", "drop OnBuild")
    if model.args_escaped:
        yield "container/ArgsEscaped", Problem("a setting of Windows", "drop ArgsEscaped")


def _endpoints(model: CreateBody) -> Iterator[tuple[str, Problem]]:
    rule = "host-settings/NetworkingConfig"
    for name, endpoint in _endpoints_config(model).items():
        yield from ((rule, found) for found in network.network_problems(name))
        if endpoint.links:
            yield rule, Problem(f"links to {', '.join(endpoint.links)[:200]!r}", "drop --link")
        if endpoint.mac_address and _MAC.fullmatch(endpoint.mac_address) is None:
            yield rule, Problem("a malformed MAC address", "write 02:42:ac:11:00:02")
        if endpoint.driver_opts:
            yield rule, Problem(f"driver options on network {name[:60]!r}", "drop driver-opt=")
        for field in _ENGINE_ONLY:
            if getattr(endpoint, field):
                yield rule, Problem(f"{field} of network {name[:60]!r}", "the engine chooses it")


def _endpoints_config(model: CreateBody) -> dict[str, Endpoint]:
    config = model.networking_config.endpoints_config if model.networking_config else None
    return {name: endpoint or Endpoint() for name, endpoint in (config or {}).items()}


def _endpoint(asked: Endpoint) -> Endpoint:
    return Endpoint(
        ipam_config=asked.ipam_config,
        aliases=asked.aliases,
        mac_address=asked.mac_address or None,
        gw_priority=asked.gw_priority or None,
    )


def _words(command: tuple[str, ...] | str | None) -> tuple[str, ...] | None:
    return (command,) if isinstance(command, str) else command
