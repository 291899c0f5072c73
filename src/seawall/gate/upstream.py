"""The engine behind the gate: one connection per exchange, never shared and never reused.

A connection that serves one exchange cannot carry a smuggled second one, and closing it is how the
engine learns that a client has gone.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

from seawall.core import limits, strictjson
from seawall.core.errors import InvalidInputError, UnavailableError
from seawall.core.strictjson import Json
from seawall.gate import http, routes, streams
from seawall.gate.wire import Wire

CONNECT_S: Final = 5.0
REPLY_MAX_BYTES: Final = 8 * limits.MIB
REPLY_MAX_DEPTH: Final = 64
CEILING_S: Final = 10.0
"""For how long the engine's API version is remembered."""

_INFORMATIONAL: Final = range(100, 200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer of the engine, for the gate itself."""

    head: http.Response
    body: bytes

    def json(self) -> dict[str, Json]:
        """Return the object in the body. Raises InvalidInputError."""
        return strictjson.decode_object(
            self.body, max_bytes=REPLY_MAX_BYTES, max_depth=REPLY_MAX_DEPTH
        )

    @property
    def message(self) -> str:
        """What the engine says went wrong."""
        with contextlib.suppress(InvalidInputError):
            return str(self.json().get("message", ""))
        return self.body[:200].decode(errors="replace")


class Engine:
    """A real engine's unix socket."""

    def __init__(self, socket: Path, *, answer_s: float) -> None:
        self._socket = socket
        self._answer_s = answer_s
        self._ceiling: tuple[float, int] | None = None

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[Wire]:
        """Open a connection for one exchange. Raises UnavailableError."""
        try:
            async with asyncio.timeout(CONNECT_S):
                stream = await streams.connect_unix(str(self._socket))
        except (OSError, TimeoutError) as error:
            raise self.silent() from error
        try:
            yield Wire(stream)
        finally:
            stream.close()

    async def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        minor: int | None = None,
    ) -> Reply:
        """Send a request of the gate's own and read the whole answer.

        Raises UnavailableError when the engine does not answer in time.
        """
        try:
            async with asyncio.timeout(self._answer_s), self.connect() as wire:
                await wire.stream.send(request(method, path, query or {}, body, minor=minor))
                head = await read_head(wire)
                pieces = bytearray()
                async for piece in body_of(wire, head, method):
                    pieces += piece
                    if len(pieces) > REPLY_MAX_BYTES:
                        raise UnavailableError("the engine's answer is too large")
                return Reply(head=head, body=bytes(pieces))
        except (OSError, TimeoutError, InvalidInputError) as error:
            raise self.silent() from error

    async def ceiling(self) -> int:
        """Return y of the newest API 1.y that both the engine and we speak.

        Raises UnavailableError when no engine answers.
        """
        now = asyncio.get_running_loop().time()
        if self._ceiling is not None and now - self._ceiling[0] < CEILING_S:
            return self._ceiling[1]
        reply = await self.ask("GET", "/_ping")
        major, _, minor = reply.head.headers.get("api-version", "").partition(".")
        if reply.head.status != HTTPStatus.OK or major != "1" or not minor.isdecimal():
            raise self.silent()
        self._ceiling = now, min(int(minor), routes.NEWEST_MINOR)
        return self._ceiling[1]

    def forget(self) -> None:
        """Forget what was learned: the engine did not answer and may come back as another."""
        self._ceiling = None

    def silent(self) -> UnavailableError:
        """Return the error for an engine that does not answer, or not as one."""
        self.forget()
        return UnavailableError(
            f"no engine answers at unix://{self._socket}",
            remedy="start it: systemctl start docker; see also `seawall doctor`",
        )


def request(
    method: str,
    path: str,
    query: Mapping[str, str],
    body: bytes | None = None,
    *,
    minor: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Write a whole request to the engine; `body` is JSON of ours."""
    versioned = path if minor is None else f"/v1.{minor}{path}"
    known = dict(headers or {})
    if body is not None:
        known["Content-Type"] = "application/json"
    length = len(body) if body is not None else None if method in {"GET", "HEAD"} else 0
    return http.emit_request(method, versioned, query, known, length=length) + (body or b"")


async def read_head(wire: Wire) -> http.Response:
    """Read the engine's answer's head; interim answers other than 101 are skipped.

    Raises ConnectionAbortedError when the engine closes before it.
    """
    while True:
        raw = await wire.read_head()
        if not raw:
            raise ConnectionAbortedError("the engine closed without an answer")
        head = http.parse_response(raw)
        if head.status not in _INFORMATIONAL or head.status == HTTPStatus.SWITCHING_PROTOCOLS:
            return head


def has_body(head: http.Response, method: str) -> bool:
    """Tell whether a body follows `head` (RFC 9112, 6.3)."""
    return method != "HEAD" and head.status not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


def body_of(wire: Wire, head: http.Response, method: str) -> AsyncIterator[bytes]:
    """Return the pieces of the answer's body as they come."""
    if not has_body(head, method):
        return wire.read_exactly(0)
    if head.is_chunked:
        return wire.read_chunked(may_have_trailers=True)
    if head.length is not None:
        return wire.read_exactly(head.length)
    return wire.read_until_end()
