"""The Docker Engine API over a unix socket, raw: the bytes that a test gives are the bytes sent."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any, Final

TIMEOUT_S: Final = 60.0


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(str(self._path))


def call(path: Path, method: str, target: str, body: bytes | None = None) -> tuple[int, Any]:
    """Send one request to the socket `path`; return the status and the decoded JSON (or None)."""
    connection = _Connection(path)
    try:
        headers = {} if body is None else {"Content-Type": "application/json"}
        connection.request(method, target, body=body, headers=headers)
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    return response.status, json.loads(content) if content else None
