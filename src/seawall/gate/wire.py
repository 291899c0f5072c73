"""A stream with what was read ahead: heads and bodies are cut from it, the rest is never lost.

Refuses heads and lines beyond their bound, chunk extensions, trailers from a client, and chunk
sizes that are not plain hexadecimal.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final

from seawall.core.errors import InvalidInputError, LimitError
from seawall.gate.http import HEAD_MAX_BYTES
from seawall.gate.streams import BULK, CHUNK, Stream

END_OF_HEAD: Final = b"\r\n\r\n"
READ_AHEAD_MAX_BYTES: Final = HEAD_MAX_BYTES + CHUNK
TRAILERS_MAX_COUNT: Final = 16

_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,8}")
_LINE_MAX_BYTES: Final = 1024


class Wire:
    """One connection and its buffer. One reader at a time."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._buffer = bytearray()

    async def fill(self) -> bool:
        """Read once more into the buffer; False at the end of input. Raises OSError."""
        data = await self.stream.receive()
        self._buffer += data
        return bool(data)

    @property
    def is_full(self) -> bool:
        """Whether reading ahead must stop."""
        return len(self._buffer) >= READ_AHEAD_MAX_BYTES

    @property
    def has_bytes(self) -> bool:
        return bool(self._buffer)

    def take(self) -> bytes:
        """Return and forget all that was read ahead."""
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    async def read_head(self) -> bytes:
        """Return a head with its empty line, or `b""` when the peer ended before its first byte.

        Raises LimitError, and ConnectionAbortedError when the end comes in the middle of it.
        """
        searched = 0
        while (end := self._buffer.find(END_OF_HEAD, searched)) < 0:
            searched = max(0, len(self._buffer) - 3)
            if len(self._buffer) > HEAD_MAX_BYTES:
                raise LimitError(f"the head has more than {HEAD_MAX_BYTES} bytes")
            if not await self.fill():
                if not self._buffer:
                    return b""
                raise ConnectionAbortedError("the connection ended inside a head")
        if end > HEAD_MAX_BYTES:
            raise LimitError(f"the head has more than {HEAD_MAX_BYTES} bytes")
        return self._cut(end + len(END_OF_HEAD))

    async def read_exactly(self, length: int) -> AsyncIterator[bytes]:
        """Yield `length` bytes in pieces as they come. Raises ConnectionAbortedError when short."""
        while length:
            piece = self._cut(length) if self._buffer else await self._receive(min(length, BULK))
            length -= len(piece)
            yield piece

    async def read_until_end(self) -> AsyncIterator[bytes]:
        """Yield everything until the peer ends its direction."""
        if self._buffer:
            yield self.take()
        while data := await self.stream.receive(BULK):
            yield data

    async def read_chunked(self, *, may_have_trailers: bool = False) -> AsyncIterator[bytes]:
        """Yield the data of a chunked body (RFC 9112, 7.1); trailers are dropped or refused.

        Raises InvalidInputError when the framing is not the plainest one.
        """
        while size := await self._read_size():
            async for piece in self.read_exactly(size):
                yield piece
            if await self._read_line():
                raise InvalidInputError("a chunk is longer than it says")
        for _ in range(TRAILERS_MAX_COUNT):
            if not await self._read_line():
                return
            if not may_have_trailers:
                raise InvalidInputError("a chunked body with trailers is refused")
        raise LimitError(f"more than {TRAILERS_MAX_COUNT} trailers")

    async def _read_size(self) -> int:
        line = await self._read_line()
        if _SIZE.fullmatch(line) is None:
            raise InvalidInputError("a chunk size is not plain hexadecimal; extensions are refused")
        return int(line, 16)

    async def _read_line(self) -> bytes:
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > _LINE_MAX_BYTES:
                raise LimitError(f"a line has more than {_LINE_MAX_BYTES} bytes")
            self._buffer += await self._receive(CHUNK)
        line = self._cut(end + 1)
        if not line.endswith(b"\r\n"):
            raise InvalidInputError("a line of a chunked body ends without CR LF")
        return line[:-2]

    async def _receive(self, size: int) -> bytes:
        data = await self.stream.receive(size)
        if not data:
            raise ConnectionAbortedError("the connection ended inside a body")
        return data

    def _cut(self, length: int) -> bytes:
        data = bytes(self._buffer[:length])
        del self._buffer[:length]
        return data
