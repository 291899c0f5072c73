"""Serves an aiohttp application, with the bounds that aiohttp leaves to others (`watchdog`)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from aiohttp import web

from seawall.core.errors import UnavailableError
from seawall.ingress import watchdog
from seawall.ingress.shortcuts import Shortcut
from seawall.ingress.watchdog import Connections, Guard, Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where an application can be reached: pairs of address and port."""

    addresses: tuple[tuple[str, int], ...]
    connections: Connections

    @property
    def port(self) -> int:
        return self.addresses[0][1]


@contextlib.asynccontextmanager
async def serve(
    app: web.Application,
    *,
    host: str,
    port: int,
    ssl_context: ssl.SSLContext | None,
    limits: Limits | None = None,
    shortcut: Shortcut | None = None,
) -> AsyncIterator[Listening]:
    """Serve `app` for as long as the block runs; port 0 takes any free one.

    What `shortcut` knows is answered before the application sees it.

    On leaving, new connections are refused, running requests get `limits.shutdown_seconds`, and the
    application's clean-up runs. Raises UnavailableError when the address cannot be listened on.
    """
    bounds = limits or Limits()
    connections = Connections(bounds)
    app.middlewares.insert(0, watchdog.report_to_guard)
    runner = web.AppRunner(
        app,
        access_log=None,  # what happened stands in the audit log
        auto_decompress=False,  # a digest is about the bytes that came; and no bomb unfolds here
        keepalive_timeout=bounds.idle_seconds,
        max_line_size=bounds.line_max_bytes,
        max_field_size=bounds.field_max_bytes,
        max_headers=bounds.fields_max,
        shutdown_timeout=bounds.shutdown_seconds,
    )
    await runner.setup()
    try:
        guards = _guards(runner, connections, shortcut)
        listener = await _listen(guards, bounds, host, port, ssl_context)
        watch = asyncio.create_task(_watch(connections))
        try:
            yield Listening(addresses=_addresses(listener), connections=connections)
        finally:
            watch.cancel()
            listener.close()
    finally:
        await runner.cleanup()


def _guards(
    runner: web.AppRunner, connections: Connections, shortcut: Shortcut | None
) -> Callable[[], Guard]:
    make, time = runner.server, asyncio.get_running_loop().time
    assert make is not None
    return lambda: Guard(make(), connections, time, shortcut)


async def _watch(connections: Connections) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(connections.limits.tick_seconds)
        connections.sweep(loop.time())


async def _listen(
    guards: Callable[[], Guard],
    limits: Limits,
    host: str,
    port: int,
    ssl_context: ssl.SSLContext | None,
) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(
            guards,
            host,
            port,
            ssl=ssl_context,
            ssl_handshake_timeout=None if ssl_context is None else limits.handshake_seconds,
            ssl_shutdown_timeout=None if ssl_context is None else 5.0,
            backlog=1_024,
        )
    except OSError as error:
        raise UnavailableError(
            f"cannot listen on {host} port {port}: {_cause(error)}",
            remedy="stop what uses the port, or choose another one",
        ) from error


def _cause(error: OSError) -> str:
    """Say it in the system's words: the event loop's are longer and name the address again."""
    return os.strerror(error.errno) if error.errno else str(error)


def _addresses(listener: asyncio.Server) -> tuple[tuple[str, int], ...]:
    return tuple((name[0], name[1]) for name in (s.getsockname() for s in listener.sockets))
