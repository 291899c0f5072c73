"""Somebody else's server in a process of its own, stopped at the end of a block."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

START_SECONDS: Final = 15.0
STOP_SECONDS: Final = 10.0


@contextlib.contextmanager
def serving(*command: str | Path, home: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run it in `home` until the block ends, which begins when it listens on `port` of loopback.

    What it says goes to `server.log` there. Raises AssertionError with that when it does not start.
    """
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=home, stdout=log, stderr=log)
    try:
        _wait_for(process, port, home / "server.log")
        yield process
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.05)
    raise AssertionError(f"the server did not start: {log.read_text(errors='replace')[-2000:]}")
