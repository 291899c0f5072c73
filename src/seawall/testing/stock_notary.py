"""The stock notary-server in a process of its own: trust data in memory, keys of its own, TLS."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seawall.testing.certificates import Authority
from seawall.testing.registry_server import free_port
from seawall.testing.trusting import CLIENTS

PROGRAM: Final = CLIENTS / "notary-server"
START_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StockNotary:
    """A running server: `host` is its host:port, `ca` the certificate of its authority."""

    host: str
    ca: Path


@contextlib.contextmanager
def running(home: Path) -> Iterator[StockNotary]:
    """Run it until the block ends."""
    authority, port = Authority(home / "pki"), free_port()
    pair = authority.issue("localhost")
    settings = {
        "server": {
            "http_addr": f"127.0.0.1:{port}",
            "tls_cert_file": str(pair.certificate),
            "tls_key_file": str(pair.key),
        },
        "trust_service": {"type": "local"},
        "logging": {"level": "error"},
        "storage": {"backend": "memory"},
    }
    (home / "server.json").write_text(json.dumps(settings))
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [PROGRAM, "-config", "server.json"], cwd=home, stdout=log, stderr=log
        )
    try:
        _wait_for(port, process)
        yield StockNotary(host=f"localhost:{port}", ca=authority.certificate)
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    raise AssertionError("notary-server did not start")
