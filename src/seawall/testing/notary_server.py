"""The stock notary-server in a process of its own, over plain HTTP, forgetting all at its end."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from seawall.testing.registry_server import free_port

START_SECONDS: Final = 15.0


@contextlib.contextmanager
def running(program: Path, home: Path) -> Iterator[str]:
    """Run it until the block ends, and give its `host:port`. It signs with keys of its own."""
    port = free_port()
    home.mkdir(parents=True, exist_ok=True)
    configuration = home / "server.json"
    configuration.write_text(
        json.dumps(
            {
                "server": {"http_addr": f"127.0.0.1:{port}"},
                "trust_service": {"type": "local"},
                "logging": {"level": "error"},
                "storage": {"backend": "memory"},
            }
        )
    )
    process = subprocess.Popen(
        [program, "-config", configuration],
        cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(port)
        yield f"localhost:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
