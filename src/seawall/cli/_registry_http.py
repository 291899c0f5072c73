"""HTTP with one registry: one request, one answer that is bounded in size and time.

It stands on the standard library alone: every command that asks a registry pays for its imports.
"""

from __future__ import annotations

import contextlib
import http.client
import select
import ssl
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from seawall.cli import registry_words
from seawall.core import limits
from seawall.core.errors import LimitError, NotFoundError, UnavailableError

CONNECT_SECONDS: Final = 10
READ_SECONDS: Final = 30
BODY_SECONDS: Final = 60
"""A body that takes longer is given up, however steadily it drips."""

SLOWEST_BYTES_A_SECOND: Final = 64 * limits.KIB
"""Blobs that are only held against their digests may be large: they get more time."""

PIECE_BYTES: Final = 64 * limits.KIB
ERROR_MAX_BYTES: Final = registry_words.MAX_BYTES

Sink: TypeAlias = Callable[[bytes], object]
"""Takes the pieces of a body, which is then not kept."""

_LEFT_AS_IT_IS: Final = "%/?&=:;@+,!$'()*~[]"
"""Of a target, beside letters and digits; whatever else stands in a Location is escaped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


class RegistryHttp:
    """Connections to a registry, kept open between requests. Thread-safe.

    Redirects are not followed, nothing is tried twice.
    """

    def __init__(self, host: str, *, ca_file: Path | None) -> None:
        self._host = host
        if ca_file is not None and not ca_file.is_file():
            raise NotFoundError(f"there is no CA file {ca_file}")
        self._ca_file = ca_file
        self._context: ssl.SSLContext | None = None
        self._idle: dict[tuple[str, str], list[http.client.HTTPConnection]] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        with self._lock:
            for connections in self._idle.values():
                for connection in connections:
                    connection.close()
            self._idle.clear()

    def send(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | None,
        max_bytes: int,
        *,
        sink: Sink | None = None,
    ) -> Answer:
        """Send one request. Raises UnavailableError, LimitError.

        A `sink` takes the body of a success.
        """
        try:
            parts = urllib.parse.urlsplit(url)
            with self._connected(parts) as connection:
                connection.request(
                    method,
                    _target(parts),
                    body=body,
                    headers={"Accept-Encoding": "identity", "User-Agent": "seawall", **headers},
                )
                response = connection.getresponse()
                limit = max_bytes if response.status < 400 else ERROR_MAX_BYTES
                kept = bytearray()
                take = kept.extend if sink is None or response.status != 200 else sink
                self._read(response, limit, take)
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise UnavailableError(
                f"the registry {self._host} does not answer: {registry_words.why(error)}",
                remedy="check the address, the network and --ca",
            ) from error
        return Answer(status=response.status, headers=response.headers, body=bytes(kept))

    def _read(self, response: http.client.HTTPResponse, limit: int, take: Sink) -> None:
        count, seconds = 0, BODY_SECONDS + limit // SLOWEST_BYTES_A_SECOND
        deadline = time.monotonic() + seconds
        while piece := response.read1(PIECE_BYTES):
            count += len(piece)
            if count > limit or time.monotonic() > deadline:
                raise LimitError(
                    f"the registry {self._host} sends more than {limit} bytes,"
                    f" or for longer than {seconds} s"
                )
            take(piece)
        if response.length:  # `read1` does not tell
            raise http.client.IncompleteRead(b"", response.length)
        response.close()

    @contextlib.contextmanager
    def _connected(self, parts: urllib.parse.SplitResult) -> Iterator[http.client.HTTPConnection]:
        """Give an open connection: one that was used before, else a new one.

        It is kept for the next request when this one was read to its end.
        """
        connection = self._pop(parts) or self._connect(parts)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if connection.sock is not None:  # the server did not say that it closes
            with self._lock:
                self._idle.setdefault((parts.scheme, parts.netloc), []).append(connection)

    def _pop(self, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection | None:
        with self._lock:
            idle = self._idle.get((parts.scheme, parts.netloc), [])
            while idle:
                connection = idle.pop()
                if not _is_dropped(connection):
                    return connection
                connection.close()
            return None

    def _connect(self, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        made = self._new(parts)
        made.connect()
        made.sock.settimeout(READ_SECONDS)
        return made

    def _new(self, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "https":
            return http.client.HTTPSConnection(
                host, port, timeout=CONNECT_SECONDS, context=self._tls()
            )
        return http.client.HTTPConnection(host, port, timeout=CONNECT_SECONDS)

    def _tls(self) -> ssl.SSLContext:
        """Certificates and names are checked: by the named authorities alone, or the system's."""
        with self._lock:
            if self._context is None:
                authorities = str(self._ca_file) if self._ca_file else None
                self._context = ssl.create_default_context(cafile=authorities)
            return self._context


def _target(parts: urllib.parse.SplitResult) -> str:
    query = f"?{parts.query}" if parts.query else ""
    return urllib.parse.quote(f"{parts.path or '/'}{query}", safe=_LEFT_AS_IT_IS)


def _is_dropped(connection: http.client.HTTPConnection) -> bool:
    """Tell whether the other side has closed an idle connection, or speaks out of turn."""
    ready = select.poll()
    ready.register(connection.sock, select.POLLIN)
    return bool(ready.poll(0))
