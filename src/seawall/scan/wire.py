"""How a process that reads a layer is fed with its bytes, and how it answers.

The reader sends `O` whenever it wants the layer from the start, and is sent chunks, each behind its
length, until one of no bytes. It sends `F`, a length and its facts when it is done. Whoever breaks
off closes the socket.
"""

from __future__ import annotations

import io
import socket
import struct
from typing import BinaryIO, Final

from seawall.core.limits import MIB

CHUNK_BYTES: Final = 256 * 1024
ANSWER_MAX_BYTES: Final = 256 * MIB

_LENGTH: Final = struct.Struct("<I")
_NOT_HERE: Final = 0xFFFFFFFF
_OPEN: Final = b"O"
_FACTS: Final = b"F"


class BrokenOffError(Exception):
    """The other end closed the socket, or sent what it must not."""


class Fed(io.RawIOBase):
    """The layer's bytes from the other end. Closing reads what is left of them."""

    def __init__(self, caller: socket.socket) -> None:
        caller.sendall(_OPEN)
        self._caller = caller
        self._left = self._next()
        self.is_here = self._left != _NOT_HERE
        self._is_done = not self.is_here or not self._left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if self._is_done:
            return 0
        count = self._caller.recv_into(memoryview(buffer)[: self._left])
        if not count:
            raise BrokenOffError
        self._left -= count
        if not self._left:
            self._left = self._next()
            self._is_done = not self._left
        return count

    def close(self) -> None:
        scratch = bytearray(CHUNK_BYTES)
        while not self.closed and self.readinto(scratch):
            pass
        super().close()

    def _next(self) -> int:
        (length,) = _LENGTH.unpack(exactly(self._caller, _LENGTH.size))
        return int(length)


def feed(reader: socket.socket, stream: BinaryIO) -> None:
    """Send a whole stream. Raises BrokenOffError, and what reading the stream raises."""
    while chunk := stream.read(CHUNK_BYTES):
        _send(reader, _LENGTH.pack(len(chunk)), chunk)
    _send(reader, _LENGTH.pack(0))


def refuse(reader: socket.socket) -> None:
    """Say that the layer's bytes are not here. Raises BrokenOffError."""
    _send(reader, _LENGTH.pack(_NOT_HERE))


def answer(caller: socket.socket, facts: bytes) -> None:
    """Send the facts."""
    _send(caller, _FACTS + _LENGTH.pack(len(facts)), facts)


def next_answer(reader: socket.socket) -> bytes | None:
    """Return the facts, or None when the reader wants the layer. Raises BrokenOffError."""
    kind = exactly(reader, 1)
    if kind == _OPEN:
        return None
    (length,) = _LENGTH.unpack(exactly(reader, _LENGTH.size))
    if kind != _FACTS or length > ANSWER_MAX_BYTES:
        raise BrokenOffError
    return exactly(reader, length)


def exactly(other: socket.socket, size: int) -> bytes:
    """Return so many bytes. Raises BrokenOffError."""
    parts = bytearray()
    while len(parts) < size:
        try:
            part = other.recv(min(size - len(parts), CHUNK_BYTES))
        except OSError as error:  # also when it takes too long
            raise BrokenOffError from error
        if not part:
            raise BrokenOffError
        parts += part
    return bytes(parts)


def _send(other: socket.socket, *parts: bytes) -> None:
    try:
        for part in parts:
            other.sendall(part)
    except OSError as error:
        raise BrokenOffError from error
