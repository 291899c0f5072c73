"""Reading request bodies: within a bound, hashed and written while they arrive.

While one batch is written by a thread the next is read; never more than that. A sender that
trickles is cut off by the connection's guard (`ingress.watchdog`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from aiohttp import web

from seawall.core import blocking
from seawall.core.limits import MIB
from seawall.distribution.numbers import parse_number
from seawall.ingress.refusals import RefusedError, Shape

BATCH_BYTES: Final = MIB


async def announce(request: web.Request) -> None:
    """Ask for the body where the client waits to be asked (RFC 9110 section 10.1.1)."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # aiohttp: nothing of the answer itself was sent yet


def declared_length(request: web.Request) -> int | None:
    """Return the `Content-Length`, None for a stream without one. Raises InvalidInputError."""
    text = request.headers.get("Content-Length")
    return None if text is None else parse_number(text, "Content-Length")


async def read_whole(request: web.Request, max_bytes: int) -> bytes:
    """Return a small body. Raises RefusedError (413) when it is larger."""
    length = declared_length(request)
    if length is not None and length > max_bytes:
        raise _too_large(max_bytes)
    await announce(request)
    parts, total = list[bytes](), 0
    while chunk := await request.content.readany():
        total += len(chunk)
        if total > max_bytes:
            raise _too_large(max_bytes)
        parts.append(chunk)
    return b"".join(parts)


async def stream(request: web.Request, write: Callable[[bytes], None]) -> None:
    """Hand the body to `write` in batches, on a thread, at most one call at a time.

    Raises what `write` raises, or what aiohttp raises for a broken body; all bytes that came
    before were then written.
    """
    await announce(request)
    writing: asyncio.Task[None] | None = None
    parts, total = list[bytes](), 0
    try:
        while chunk := await request.content.readany():
            parts.append(chunk)
            total += len(chunk)
            if total >= BATCH_BYTES:
                if writing is not None:
                    await writing
                writing = asyncio.create_task(blocking.run(write, b"".join(parts)))
                parts, total = [], 0
    finally:
        # Never leave a thread behind that still writes, whatever ended the reading.
        if writing is not None:
            await asyncio.wait({writing})
        if parts and (writing is None or writing.exception() is None):
            await blocking.run(write, b"".join(parts))
    if writing is not None:
        writing.result()


def _too_large(max_bytes: int) -> RefusedError:
    return RefusedError(f"the body has more than {max_bytes} bytes", Shape(413, "SIZE_INVALID"))
