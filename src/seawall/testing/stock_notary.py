"""The stock notary-server in a process of its own: trust data in memory, keys of its own."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seawall.core.strictjson import Json
from seawall.testing import programs
from seawall.testing.certificates import Authority, KeyPair
from seawall.testing.registry_server import free_port
from seawall.testing.trusting import CLIENTS

PROGRAM: Final = CLIENTS / "notary-server"


@dataclass(frozen=True, slots=True, kw_only=True)
class StockNotary:
    """A running server: `host` is its host:port, `ca` the certificate of its authority."""

    host: str
    ca: Path
    pair: KeyPair
    """What it shows; with it a test can also sign tokens that it believes."""
    pid: int


@contextlib.contextmanager
def running(
    home: Path, *, has_tls: bool = True, tokens: dict[str, Json] | None = None
) -> Iterator[StockNotary]:
    """Run it over the directory `home` until the block ends, over TLS or in the clear.

    With `tokens` (`realm`, `service`, `issuer`) it asks for them, signed under its own authority.
    """
    authority, port = Authority(home / "pki"), free_port()
    pair = authority.issue("localhost")
    tls = {"tls_cert_file": str(pair.certificate), "tls_key_file": str(pair.key)}
    settings: dict[str, object] = {
        "server": {"http_addr": f"127.0.0.1:{port}", **(tls if has_tls else {})},
        "trust_service": {"type": "local"},
        "logging": {"level": "error"},
        "storage": {"backend": "memory"},
    }
    if tokens is not None:
        options = {**tokens, "rootcertbundle": str(authority.certificate)}
        settings["auth"] = {"type": "token", "options": options}
    (home / "server.json").write_text(json.dumps(settings))
    with programs.serving(PROGRAM, "-config", "server.json", home=home, port=port) as process:
        host = f"localhost:{port}"
        yield StockNotary(host=host, ca=authority.certificate, pair=pair, pid=process.pid)
