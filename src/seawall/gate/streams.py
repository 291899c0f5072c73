"""Byte streams whose two directions end independently: the one thing every connection needs here.

`docker run -i` ends its input and keeps reading; an engine ends an exec without reading the rest of
its input. asyncio's transports (uvloop's too) close both directions when one of them fails, and
output that was already in the kernel is lost without a sign. So sockets are read and written here
directly, and a failed write never takes the reading side with it.

All failures of a stream are OSError; an orderly end of input is `b""`, an aborted one is never.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Final, Protocol

CHUNK: Final = 64 * 1024
"""Bytes read at once where heads and JSON are expected."""

BULK: Final = 256 * 1024
"""Bytes read at once in streams, and the most that is held between two connections.

Measured over TLS: 1.0 s of processor time for a gigabyte, and 1.6 s with pieces of 64 KiB.
"""

TURNS: Final = 16
"""A stream that never has to wait lets others run after so many reads."""

_NO_LINGER: Final = struct.pack("ii", 1, 0)  # struct linger: close with a reset


class Stream(Protocol):
    """A connection. `PlainStream` and `tls.TlsStream` are the two implementations.

    At most one task receives and one sends at a time.
    """

    async def receive(self, size: int = CHUNK) -> bytes:
        """Return the next bytes; `b""` once the peer has ended its direction in order.

        Cancelling it loses nothing. Raises OSError when the connection was cut.
        """
        ...

    async def send(self, data: bytes) -> None:
        """Send all of `data`, waiting while the peer does not read.

        A send that is cancelled or fails poisons our direction: nobody knows what arrived, so
        nothing may follow. Receiving goes on working. Raises OSError.
        """
        ...

    async def send_eof(self) -> None:
        """End our direction in order; `receive` goes on working. Raises OSError."""
        ...

    def close(self) -> None:
        """Close both directions; what was sent still arrives, unless a send was poisoned."""
        ...


class PlainStream:
    """A stream on a socket without encryption. Made on the running loop; owns the socket."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._loop = asyncio.get_running_loop()
        self._turns = 0
        self._is_poisoned = False

    async def receive(self, size: int = CHUNK) -> bytes:
        self._turns += 1
        if self._turns % TURNS == 0:
            await asyncio.sleep(0)
        while True:
            try:
                return self._socket.recv(size)
            except BlockingIOError:
                await self._wait_readable()

    async def send(self, data: bytes) -> None:
        if self._is_poisoned:
            raise ConnectionAbortedError("an earlier send did not complete")
        rest = memoryview(data)
        try:
            while rest:
                try:
                    rest = rest[self._socket.send(rest) :]
                except BlockingIOError:
                    await self._wait_writable()
        except BaseException:
            self.poison()
            raise

    async def send_eof(self) -> None:
        if self._is_poisoned:
            raise ConnectionAbortedError("an earlier send did not complete")
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._socket.close()

    def poison(self) -> None:
        """Let nothing follow: a layer above has lost its place in what it sends."""
        self._is_poisoned = True
        with contextlib.suppress(OSError):  # half a message must not end like a whole one
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)

    async def _wait_readable(self) -> None:
        woken = self._loop.create_future()
        self._loop.add_reader(self._socket, _wake, woken)
        try:
            await woken
        finally:
            self._loop.remove_reader(self._socket)

    async def _wait_writable(self) -> None:
        woken = self._loop.create_future()
        self._loop.add_writer(self._socket, _wake, woken)
        try:
            await woken
        finally:
            self._loop.remove_writer(self._socket)


async def connect_unix(path: str) -> PlainStream:
    """Connect to the unix socket at `path`. Raises OSError."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, path)
    except BaseException:
        connection.close()
        raise
    return PlainStream(connection)


def tune(connection: socket.socket) -> None:
    """Notice a dead peer within two minutes, and send small writes at once.

    Streams have no idle limit of ours, so this is what ends those of a client that lost its power.
    """
    with contextlib.suppress(OSError):  # the peer may be gone already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
