"""The gate's slice of the settings, and its limits with their units."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seawall.core.errors import InvalidInputError
from seawall.gate.tls import TlsFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """Where the gate listens, what stands behind it, and how long it waits."""

    engine_socket: Path
    registry_hosts: tuple[str, ...]
    """`host:port` of our own registry, under every name that an engine may know it by."""

    socket: Path | None = None
    """Path of the unix socket to listen on; made with mode 0600."""

    host: str = "127.0.0.1"
    port: int | None = None
    """TCP port for mutual TLS; needs `tls`. None means no TCP."""

    tls: TlsFiles | None = None

    max_connections: int = 1024
    idle_s: float = 600.0  # between two requests of a connection
    head_s: float = 10.0  # from the first byte of a head to its last
    body_s: float = 30.0  # for a whole JSON body
    answer_s: float = 120.0  # for an answer of the engine that is not a stream
    decision_s: float = 10.0  # for admission, receipts and tokens; then the answer is no
    identity_s: float = 10.0  # for which an identity is remembered; a revocation waits this long
    grace_s: float = 10.0  # for streams, after the order to stop

    def __post_init__(self) -> None:
        if not self.registry_hosts:
            raise InvalidInputError("the gate needs the name of a registry")
        if self.socket is None and self.port is None:
            raise InvalidInputError("the gate listens nowhere", remedy="give a socket or a port")
        if self.port is not None and self.tls is None:
            raise InvalidInputError("a TCP port of the gate needs certificates")
