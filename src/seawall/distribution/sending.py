"""Sending blobs: by the kernel from file to socket where it can, else in bounded pieces.

uvloop has no `sendfile`. So the socket is duplicated and `os.sendfile` called on a thread until
the socket is full; the wait for the receiver is the event loop's, so a slow one holds no thread.
A receiver that takes nothing for a while is cut off.
"""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Iterable
from typing import BinaryIO, Final

from aiohttp import web
from aiohttp.http_writer import StreamWriter

from seawall.core import blocking
from seawall.distribution.numbers import Span

STALL_LIMIT_S: Final = 60.0
PIECE_BYTES: Final = 256 * 1024
SENDFILE_MIN_BYTES: Final = 64 * 1024
SENDFILE_MAX_BYTES: Final = 8 * 1024 * 1024  # per call, so that no thread is held for long


async def send(
    request: web.Request, response: web.StreamResponse, file: BinaryIO, span: Span
) -> web.StreamResponse:
    """Send `span` of `file` as the body of `response`, whose headers are complete."""
    response.content_length = span.count
    writer = await response.prepare(request)
    if _may_sendfile(request, file, span) and isinstance(writer, StreamWriter):
        writer.send_headers()
        await _send_by_kernel(request, writer, file, span)
    else:
        await _send_pieces(response, file, span)
    await response.write_eof()
    return response


async def send_parts(
    request: web.Request,
    response: web.StreamResponse,
    file: BinaryIO,
    parts: Iterable[tuple[bytes, Span]],
    end: bytes,
) -> web.StreamResponse:
    """Send several spans, each with its head, as one multipart body."""
    parts = list(parts)
    response.content_length = len(end) + sum(len(head) + span.count for head, span in parts)
    await response.prepare(request)
    for head, span in parts:
        await _write(response, head)
        await _send_pieces(response, file, span)
    await _write(response, end)
    await response.write_eof()
    return response


def _may_sendfile(request: web.Request, file: BinaryIO, span: Span) -> bool:
    if span.count < SENDFILE_MIN_BYTES or request.transport is None:
        return False
    if request.transport.get_extra_info("sslcontext") is not None:
        return False
    try:
        file.fileno()
    except io.UnsupportedOperation:
        return False
    return request.transport.get_extra_info("socket") is not None


async def _send_pieces(response: web.StreamResponse, file: BinaryIO, span: Span) -> None:
    offset, end = span.start, span.start + span.count
    while offset < end:
        piece = await blocking.run(_read, file, offset, min(PIECE_BYTES, end - offset))
        if not piece:
            raise ConnectionAbortedError("the blob ended early")  # never complete it with others
        await _write(response, piece)
        offset += len(piece)


def _read(file: BinaryIO, offset: int, count: int) -> bytes:
    file.seek(offset)
    return file.read(count)


async def _write(response: web.StreamResponse, piece: bytes) -> None:
    try:
        async with asyncio.timeout(STALL_LIMIT_S):
            await response.write(piece)
    except TimeoutError as error:
        raise ConnectionAbortedError("the receiver stalled") from error


async def _send_by_kernel(
    request: web.Request, writer: StreamWriter, file: BinaryIO, span: Span
) -> None:
    transport = request.transport
    assert transport is not None
    await _flush(transport, writer)
    # A duplicate cannot be closed, and its number reused, under our hands.
    socket = os.dup(transport.get_extra_info("socket").fileno())
    offset, left = span.start, span.count
    try:
        while left:
            sent, is_full = await blocking.run(_sendfile, socket, file.fileno(), offset, left)
            offset, left = offset + sent, left - sent
            if is_full:
                await _wait_writable(socket)
    except BaseException:
        transport.abort()
        raise
    finally:
        os.close(socket)


async def _flush(transport: asyncio.Transport, writer: StreamWriter) -> None:
    """Wait until the headers have left the transport's own buffer."""
    transport.set_write_buffer_limits(high=0)
    try:
        async with asyncio.timeout(STALL_LIMIT_S):
            while transport.get_write_buffer_size():
                await writer.drain()
                await asyncio.sleep(0)
    except TimeoutError as error:
        raise ConnectionAbortedError("the receiver stalled") from error
    finally:
        transport.set_write_buffer_limits()


def _sendfile(socket: int, file: int, offset: int, left: int) -> tuple[int, bool]:
    """Send until done, the socket is full, or enough for one call.

    Returns the bytes sent and whether the socket is full.
    """
    total = 0
    goal = min(left, SENDFILE_MAX_BYTES)
    while total < goal:
        try:
            sent = os.sendfile(socket, file, offset + total, goal - total)
        except BlockingIOError:
            return total, True
        if sent == 0:
            raise ConnectionAbortedError("the blob ended early")
        total += sent
    return total, False


async def _wait_writable(socket: int) -> None:
    loop = asyncio.get_running_loop()
    writable = loop.create_future()

    def wake() -> None:
        if not writable.done():
            writable.set_result(None)

    loop.add_writer(socket, wake)
    try:
        async with asyncio.timeout(STALL_LIMIT_S):
            await writable
    except TimeoutError as error:
        raise ConnectionAbortedError("the receiver stalled") from error
    finally:
        loop.remove_writer(socket)
