"""The JSON bodies of the Docker Engine API that the gate understands, as types.

What is not written here does not exist: an unknown key, another spelling of a known one, a number
of another kind, an element that is `null` is refused, because Go's decoder and ours could read it
in two ways. Objects whose keys belong to the user (labels, environment, networks) are plain maps:
`A` and `a` are two keys there, in Go too.
"""

from __future__ import annotations

import functools
from typing import Final, TypeVar

import msgspec
from msgspec import field, inspect

from seawall.core import limits, strictjson
from seawall.core.errors import InvalidInputError
from seawall.core.strictjson import Json
from seawall.isolation.workload import Int64, Strict, Strings, Uint, WorkloadSpec

T = TypeVar("T", bound=Strict)


class Empty(Strict, frozen=True):
    """Go's `struct{}`: the value of a set."""


class Healthcheck(Strict, frozen=True):
    test: Strings | None = None
    interval: Int64 | None = None  # durations in nanoseconds
    timeout: Int64 | None = None
    start_period: Int64 | None = None
    start_interval: Int64 | None = None
    retries: Int64 | None = None


class IpamConfig(Strict, frozen=True):
    ipv4_address: str | None = field(default=None, name="IPv4Address")
    ipv6_address: str | None = field(default=None, name="IPv6Address")
    link_local_ips: Strings | None = field(default=None, name="LinkLocalIPs")


class Endpoint(Strict, frozen=True):
    """How the container joins one network. The fields after `gw_priority` are the engine's own."""

    ipam_config: IpamConfig | None = field(default=None, name="IPAMConfig")
    links: Strings | None = None
    aliases: Strings | None = None
    mac_address: str | None = None
    driver_opts: dict[str, str] | None = None
    gw_priority: Int64 | None = None
    network_id: str | None = field(default=None, name="NetworkID")
    endpoint_id: str | None = field(default=None, name="EndpointID")
    gateway: str | None = None
    ip_address: str | None = field(default=None, name="IPAddress")
    ip_prefix_len: Int64 | None = field(default=None, name="IPPrefixLen")
    ipv6_gateway: str | None = field(default=None, name="IPv6Gateway")
    global_ipv6_address: str | None = field(default=None, name="GlobalIPv6Address")
    global_ipv6_prefix_len: Int64 | None = field(default=None, name="GlobalIPv6PrefixLen")
    dns_names: Strings | None = field(default=None, name="DNSNames")


class NetworkingConfig(Strict, frozen=True):
    endpoints_config: dict[str, Endpoint | None] | None = None


class CreateBody(Strict, frozen=True):
    """The body of POST /containers/create."""

    image: str
    hostname: str | None = None
    domainname: str | None = None
    user: str | None = None
    attach_stdin: bool | None = None
    attach_stdout: bool | None = None
    attach_stderr: bool | None = None
    exposed_ports: dict[str, Empty] | None = None
    tty: bool | None = None
    open_stdin: bool | None = None
    stdin_once: bool | None = None
    env: Strings | None = None
    cmd: Strings | str | None = None
    healthcheck: Healthcheck | None = None
    args_escaped: bool | None = None
    volumes: dict[str, Empty] | None = None
    working_dir: str | None = None
    entrypoint: Strings | str | None = None
    network_disabled: bool | None = None
    mac_address: str | None = None
    on_build: Strings | None = None
    labels: dict[str, str] | None = None
    stop_signal: str | None = None
    stop_timeout: Int64 | None = None
    shell: Strings | None = None
    runtime: None = None  # docker-py always writes `"Runtime": null` here; any value is refused
    host_config: WorkloadSpec | None = None
    networking_config: NetworkingConfig | None = None


class ExecBody(Strict, frozen=True):
    """The body of POST /containers/{id}/exec."""

    cmd: Strings
    user: str | None = None
    privileged: bool | None = None
    tty: bool | None = None
    console_size: tuple[Uint, Uint] | None = None
    attach_stdin: bool | None = None
    attach_stdout: bool | None = None
    attach_stderr: bool | None = None
    detach: bool | None = None
    detach_keys: str | None = None
    env: Strings | None = None
    working_dir: str | None = None
    container: str | None = None  # docker-py writes it; the path alone decides, never handed on


class ExecStartBody(Strict, frozen=True):
    """The body of POST /exec/{id}/start."""

    detach: bool | None = None
    tty: bool | None = None
    console_size: tuple[Uint, Uint] | None = None


def parse(body: bytes, kind: type[T]) -> T:
    """Return `body` as a `kind`.

    Raises InvalidInputError with the place and the name of what is wrong, LimitError when it is too
    large or too deep.
    """
    value = strictjson.decode_object(
        body, max_bytes=limits.GATE_BODY_MAX_BYTES, max_depth=limits.JSON_MAX_DEPTH
    )
    _refuse_unknown_keys(value, _type_info(kind), "")
    _refuse_traps(value, "")
    try:
        return msgspec.convert(value, type=kind, strict=True)
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"request body: {error}") from error


def emit(model: Strict) -> bytes:
    """Return the canonical bytes of `model`: sorted keys, nothing that was not said."""
    return msgspec.json.encode(model, order="sorted")


@functools.cache
def _type_info(kind: type[Strict]) -> inspect.Type:
    return inspect.type_info(kind)


_HOST_KEYS: Final = frozenset(f.encode_name for f in msgspec.structs.fields(WorkloadSpec))


def _refuse_unknown_keys(value: Json, info: inspect.Type, place: str) -> None:
    """Walk `value` beside its type, so that the message can name the key and what was meant."""
    if isinstance(info, inspect.UnionType):
        for option in info.types:
            _refuse_unknown_keys(value, option, place)
    elif isinstance(info, inspect.StructType) and isinstance(value, dict):
        known = {f.encode_name: f.type for f in info.fields}
        for key, item in value.items():
            if key not in known:
                raise InvalidInputError(_unknown(key, frozenset(known), place))
            _refuse_unknown_keys(item, known[key], f"{place}{key}.")
    elif isinstance(info, inspect.DictType) and isinstance(value, dict):
        for key, item in value.items():
            _refuse_unknown_keys(item, info.value_type, f"{place}{key}.")
    elif isinstance(info, inspect.VarTupleType) and isinstance(value, list):
        for item in value:
            _refuse_unknown_keys(item, info.item_type, place)


def _unknown(key: str, known: frozenset[str], place: str) -> str:
    shown = f"{place}{key}"[:200]
    for name in known:
        if name.casefold() == key.casefold():
            return f"request body: wrong spelling: {shown!r} must be written {name!r}"
    if not place and key.casefold() in {name.casefold() for name in _HOST_KEYS}:
        return f"request body: {shown!r} belongs inside HostConfig, not at the top level"
    return f"request body: unknown field {shown!r}"


def _refuse_traps(value: Json, place: str) -> None:
    """Refuse what no field of any body holds: fractions, and NUL in a text."""
    match value:
        case float():
            raise InvalidInputError(f"request body: {place[:200]!r} must be a whole number")
        case str() if "\0" in value:
            raise InvalidInputError(f"request body: {place[:200]!r} holds a NUL character")
        case list():
            for item in value:
                _refuse_traps(item, place)
        case dict():
            for key, item in value.items():
                _refuse_traps(key, place)
                _refuse_traps(item, f"{place}.{key}" if place else key)
        case _:
            pass
