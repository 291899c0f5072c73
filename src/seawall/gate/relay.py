"""Bytes from the engine to the client, and both ways after a hand-over.

Heads go out at once (`docker run` waits for the head of `wait` before it starts the container),
nothing is buffered beyond one chunk, streams have no idle limit, and a client that leaves takes its
connection to the engine with it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from seawall.gate import http, upstream
from seawall.gate.streams import BULK, CHUNK, Stream
from seawall.gate.wire import Wire

LINGER_S: Final = 3.0
LAST_CHUNK: Final = b"0\r\n\r\n"

_PASSED: Final = {
    "content-type": "Content-Type",
    "api-version": "Api-Version",
    "ostype": "Ostype",
    "docker-experimental": "Docker-Experimental",
    "builder-version": "Builder-Version",
    "swarm": "Swarm",
    "cache-control": "Cache-Control",
    "pragma": "Pragma",
}

Append = Callable[[], Awaitable[bytes]]


class ClientGoneError(ConnectionError):
    """The client ended its connection while the answer was under way."""


async def while_present(client: Wire, work: Awaitable[None]) -> None:
    """Do `work`, unless the client leaves first: then cancel it.

    What the client sends meanwhile is read ahead up to a bound. Raises ClientGoneError.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(_watch(client))
            try:
                await work
            finally:
                watch.cancel()
    except BaseExceptionGroup as group:
        raise _leaf(group) from group


async def answer(
    client: Wire, engine: Wire, head: http.Response, *, method: str, ceiling: int,
    append: Append | None = None,
) -> None:  # fmt: skip
    """Pass on the engine's answer, its head written anew.

    `append` is called at the end of the body for bytes that follow it (the answer must be chunked).
    """
    headers = passed_headers(head, ceiling)
    body = upstream.body_of(engine, head, method)
    if not upstream.has_body(head, method):
        await client.stream.send(http.emit_response(head.status, headers))
    elif head.length is not None and append is None:
        await _sized(client.stream, head, headers, body)
    else:
        await client.stream.send(
            http.emit_response(head.status, {**headers, "Transfer-Encoding": "chunked"})
        )
        async for piece in body:
            await client.stream.send(chunk(piece))
        last = chunk(await append()) if append is not None else b""
        await client.stream.send(last + LAST_CHUNK)


def passed_headers(head: http.Response, ceiling: int) -> dict[str, str]:
    """Return the headers of an answer that the client is told, our own version among them."""
    headers = {name: head.headers[key] for key, name in _PASSED.items() if key in head.headers}
    if "Api-Version" in headers:
        headers["Api-Version"] = f"1.{ceiling}"
    return headers


def chunk(piece: bytes) -> bytes:
    """Frame one piece of a chunked body; nothing for an empty one, which would end the body."""
    return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""


async def tunnel(client: Wire, engine: Wire) -> None:
    """Copy both ways until the engine has said all; the client's end ends only the input.

    Bytes read ahead behind either head go first. Raises OSError when the client was cut off, which
    is never passed on as an orderly end of input.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            upwards = tasks.create_task(_upwards(client, engine.stream))
            await _downwards(engine, client.stream)
            upwards.cancel()
    except BaseExceptionGroup as group:
        raise _leaf(group) from group
    await linger(client.stream)


async def linger(stream: Stream) -> None:
    """End our direction and read the peer's to its end, so that our last bytes are not reset."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(LINGER_S):
            await stream.send_eof()
            while await stream.receive(BULK):
                pass


async def _watch(client: Wire) -> None:
    while not client.is_full:
        try:
            present = await client.fill()
        except OSError as error:
            raise ClientGoneError(str(error)) from error
        if not present:
            raise ClientGoneError("the client left")


async def _sized(
    client: Stream, head: http.Response, headers: dict[str, str], body: AsyncIterator[bytes]
) -> None:
    raw = http.emit_response(head.status, {**headers, "Content-Length": str(head.length)})
    if head.length is not None and head.length <= CHUNK:  # one packet instead of two
        await client.send(raw + b"".join([piece async for piece in body]))
        return
    await client.send(raw)
    async for piece in body:
        await client.send(piece)


async def _upwards(client: Wire, engine: Stream) -> None:
    data = client.take() or await client.stream.receive(BULK)
    while data:
        try:
            await engine.send(data)
        except OSError:
            return  # the program reads no more; its output still counts
        data = await client.stream.receive(BULK)
    with contextlib.suppress(OSError):
        await engine.send_eof()


async def _downwards(engine: Wire, client: Stream) -> None:
    data = engine.take() or await _output(engine.stream)
    while data:
        await client.send(data)
        data = await _output(engine.stream)
    await client.send_eof()


async def _output(engine: Stream) -> bytes:
    try:
        return await engine.receive(BULK)
    except ConnectionResetError:
        return b""  # how a unix socket reports that the engine left input unread: all was said


def _leaf(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
