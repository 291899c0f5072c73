"""Guards on a connection that aiohttp's server lacks.

- the head of a request arrives within 10 s of the connection's opening, or of its own first byte;
- a body that is being read comes at a minimum rate (unless it is we who do not read);
- a client that does not take its answer is cut off;
- one address holds a bounded number of connections, and all of them together too.

`Guard` stands between the transport and aiohttp's protocol and passes everything on, except what a
shortcut answers: only between two requests, when it is certain that none is under way.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from aiohttp import web
from aiohttp.typedefs import Handler

from seawall.ingress import heads, shortcuts
from seawall.ingress.credentials import address_key
from seawall.ingress.shortcuts import Shortcut


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one listener. Times in seconds."""

    head_seconds: float = 10.0
    idle_seconds: float = 75.0
    """Between two requests on one connection."""
    body_window_seconds: float = 30.0
    body_min_bytes: int = 30 * 1024
    """In every window while a body is awaited: 1 KiB/s."""
    answer_stall_seconds: float = 120.0
    """How long a client may leave a full buffer untouched."""
    tick_seconds: float = 1.0
    connections_per_address: int = 256
    connections: int = 4_096
    line_max_bytes: int = 8 * 1024
    field_max_bytes: int = 16 * 1024
    """Room for a bearer token that lists many repositories."""
    fields_max: int = 100
    handshake_seconds: float = 10.0
    shutdown_seconds: float = 10.0


class Connections:
    """Counts the connections of one listener, and looks after them once per tick."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._by_address: Counter[str] = Counter()
        self._guards: set[Guard] = set()

    def __len__(self) -> int:
        return len(self._guards)

    def admit(self, guard: Guard) -> bool:
        """Count a new connection, or say that there are too many already."""
        if len(self._guards) >= self.limits.connections:
            return False
        if self._by_address[guard.address] >= self.limits.connections_per_address:
            return False
        self._by_address[guard.address] += 1
        self._guards.add(guard)
        return True

    def forget(self, guard: Guard) -> None:
        """Stop counting a connection that is closed."""
        if guard not in self._guards:
            return
        self._guards.remove(guard)
        self._by_address[guard.address] -= 1
        if self._by_address[guard.address] <= 0:
            del self._by_address[guard.address]

    def sweep(self, now: float) -> None:
        """Cut off every connection that breaks a bound at `now` (the loop's time)."""
        for guard in list(self._guards):
            if guard.is_overdue(now):
                guard.abort()


class Guard(asyncio.Protocol):
    """One connection."""

    def __init__(
        self,
        inner: asyncio.Protocol,
        connections: Connections,
        time: Callable[[], float],
        shortcut: Shortcut | None = None,
    ) -> None:
        self._inner = inner
        self._shortcut = shortcut
        self._has_passed = False
        self._idle_since: float | None = None
        self._connections = connections
        self._time = time
        self._transport: asyncio.Transport | None = None
        self._is_admitted = False
        self._request: web.Request | None = None
        self._head_since: float | None = None
        self._window_since = 0.0
        self._window_bytes = 0
        self._stalled_since: float | None = None
        self.address = "unknown"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.address = address_key(str(peer[0])) if isinstance(peer, tuple) else "local"
        self._is_admitted = self._connections.admit(self)
        if not self._is_admitted:
            self._transport.abort()
            return
        self._head_since = self._time()
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.forget(self)
        if self._is_admitted:
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._is_admitted or (self._shortcut is not None and self._is_answered(data)):
            return
        if self._request is None and self._head_since is None:
            self._head_since = self._time()
        self._window_bytes += len(data)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._stalled_since = self._time()
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._stalled_since = None
        self._inner.resume_writing()

    def begin(self, request: web.Request) -> None:
        """A whole head has arrived, and the request is being answered."""
        self._request = request
        self._head_since = None
        self._window_since, self._window_bytes = self._time(), 0

    def end(self) -> None:
        """The answer is ready; aiohttp's own clock for idle connections runs from here."""
        self._request = None

    def is_overdue(self, now: float) -> bool:
        """Tell whether the peer broke one of the bounds in time."""
        limits = self._connections.limits
        if self._head_since is not None and now - self._head_since > limits.head_seconds:
            return True
        if self._idle_since is not None and now - self._idle_since > limits.idle_seconds:
            return True
        stalled = self._stalled_since
        if stalled is not None and now - stalled > limits.answer_stall_seconds:
            return True
        return self._is_body_too_slow(now)

    def abort(self) -> None:
        """Close without waiting for anything."""
        if self._transport is not None:
            self._transport.abort()

    def _is_answered(self, data: bytes) -> bool:
        """Answer by the shortcut, if it knows; else note what is passed on.

        The inside counts as waiting when all that it ever got were whole requests without a body,
        one at a time. A connection on which anything else came is never shortened again.
        """
        shortcut, transport = self._shortcut, self._transport
        if shortcut is None or transport is None:
            return False
        if not self._is_between_requests(transport):
            self._shortcut = None
            return False
        answer = shortcut.answer(data)
        if answer is None:
            self._has_passed, self._idle_since = True, None
            if heads.parse(data) is None:
                self._shortcut = None
            return False
        now = self._time()
        self._head_since, self._idle_since = None, now
        shortcuts.keep_open(self._inner, now + self._connections.limits.idle_seconds)
        transport.write(answer)
        return True

    def _is_between_requests(self, transport: asyncio.Transport) -> bool:
        if self._request is not None or self._stalled_since is not None or transport.is_closing():
            return False
        return not self._has_passed or shortcuts.is_waiting(self._inner)

    def _is_body_too_slow(self, now: float) -> bool:
        if self._request is None or self._transport is None:
            return False
        if self._request.content.is_eof() or not self._transport.is_reading():
            # Nothing is awaited, or we are the slow one: a new window begins.
            self._window_since, self._window_bytes = now, 0
            return False
        limits = self._connections.limits
        if now - self._window_since <= limits.body_window_seconds:
            return False
        is_slow = self._window_bytes < limits.body_min_bytes
        self._window_since, self._window_bytes = now, 0
        return is_slow


@web.middleware
async def report_to_guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell the connection's guard when a request begins and ends. `server.serve` adds it."""
    guard = None if request.transport is None else request.transport.get_protocol()
    if not isinstance(guard, Guard):
        return await handler(request)
    guard.begin(request)
    try:
        return await handler(request)
    except ConnectionError:
        if request.transport is not None and not request.transport.is_closing():
            raise
        # Nobody reads this. aiohttp would log the loss, which any caller can cause, as our error.
        return web.Response(status=400)
    finally:
        guard.end()
