"""Byte streams whose two directions end independently: the one thing every connection needs here.

`docker run -i` ends its input and keeps reading. A transport that closes both directions at the
first end of one loses all output and reports success, so asyncio's own TLS is not used; see `tls`.

All failures of a stream are OSError; an orderly end of input is `b""`, an aborted one is never.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Final, Protocol

CHUNK: Final = 64 * 1024
"""Bytes read at once. A reader holds twice as many before it stops reading from the kernel."""

CLOSE_DEADLINE_S: Final = 5.0


class Stream(Protocol):
    """A connection. `PlainStream` and `tls.TlsStream` are the two implementations."""

    async def receive(self, size: int = CHUNK) -> bytes:
        """Return the next bytes; `b""` once the peer has ended its direction in order.

        Cancelling it loses nothing. Raises OSError when the connection was cut.
        """
        ...

    async def send(self, data: bytes) -> None:
        """Send all of `data`, waiting while the peer does not read.

        A send that is cancelled or fails poisons the connection: nobody knows what arrived, so
        nothing may follow. Raises OSError.
        """
        ...

    async def send_eof(self) -> None:
        """End our direction; `receive` goes on working. Raises OSError."""
        ...

    async def aclose(self) -> None:
        """Close both directions, after what was sent has left; never raises."""
        ...


class PlainStream:
    """A stream on a socket without encryption: the unix sockets of clients and of the engine."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def receive(self, size: int = CHUNK) -> bytes:
        return await self._reader.read(size)

    async def send(self, data: bytes) -> None:
        if self._writer.is_closing():
            raise ConnectionResetError("the connection is closed")
        try:
            self._writer.write(data)
            await self._writer.drain()
        except BaseException:
            self._writer.transport.abort()
            raise

    async def send_eof(self) -> None:
        if not self._writer.is_closing():
            self._writer.write_eof()

    async def aclose(self) -> None:
        await close(self._writer)


async def connect_unix(path: str) -> PlainStream:
    """Connect to the unix socket at `path`. Raises OSError."""
    reader, writer = await asyncio.open_unix_connection(path, limit=CHUNK)
    return PlainStream(reader, writer)


async def close(writer: asyncio.StreamWriter) -> None:
    """Close after flushing; a peer that does not read is cut after `CLOSE_DEADLINE_S`."""
    writer.close()
    try:
        async with asyncio.timeout(CLOSE_DEADLINE_S):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()
    except asyncio.CancelledError:
        writer.transport.abort()
        raise


def tune(writer: asyncio.StreamWriter) -> None:
    """Switch on TCP keep-alive and small writes at once; streams have no idle limit of ours."""
    connection: socket.socket = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):  # the peer may be gone already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
