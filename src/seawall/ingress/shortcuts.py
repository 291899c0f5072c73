"""Answers what lies ready in memory before the web server sees the request.

A web server spends more time on a small GET than it takes to find the answer. So the plainest
requests (`heads`) for what a door has at hand are answered at the connection; all others go the
usual way, and so does everything that is not a plain success: a shortcut never says no.

The answer has the same status, fields and body as the one of the usual way; tests hold them
together. The door asks the same questions: who is it, may they, is what is kept still true.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Final, TypeAlias

from aiohttp.http import SERVER_SOFTWARE
from aiohttp.web_protocol import RequestHandler

from seawall.core.clock import Clock
from seawall.ingress import browser, heads
from seawall.ingress.heads import PlainHead

_UNDERSTOOD: Final = frozenset(
    {"host", "user-agent", "accept", "accept-encoding", "authorization", "connection"}
)
"""Any other field might ask for something else: a range, a condition."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The fields and the body of an answer with the status 200."""

    fields: tuple[tuple[str, str], ...]
    body: bytes


Find: TypeAlias = Callable[[PlainHead], Ready | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcut:
    """The way to what one door has at hand. `marker` stands in the paths that it knows."""

    find: Find
    marker: bytes
    clock: Clock
    is_secure: bool = False
    has_browser_fields: bool = True
    """Whether the application adds the fields of `browser`."""

    def answer(self, data: bytes) -> bytes | None:
        """Return the whole answer to what arrived, or None when this is not for a shortcut."""
        if self.marker not in data[: data.find(b"\r")] or data[:4] != b"GET ":
            return None
        asked = heads.parse(data)
        if asked is None or not asked.fields.keys() <= _UNDERSTOOD:
            return None
        ready = self.find(asked)
        if ready is None:
            return None
        more = self._browser_fields(asked.fields["host"])
        date = _date(int(self.clock.now().timestamp()))
        return _head(ready.fields, len(ready.body), more) + date + ready.body

    def _browser_fields(self, host: str) -> bool | None:
        """Tell which fields for browsers are added: None for none, True for strict transport."""
        return browser.is_strict(host, self.is_secure) if self.has_browser_fields else None


def is_waiting(protocol: asyncio.Protocol) -> bool:
    """Tell whether aiohttp has sent every answer and waits for the next request.

    It has no public word for this. If another version has another private one, the answer is no,
    and a connection goes the usual way once it has done so.
    """
    waiter = getattr(protocol, "_waiter", None)
    return isinstance(waiter, asyncio.Future) and not waiter.done()


def keep_open(protocol: asyncio.Protocol, until: float) -> None:
    """Have aiohttp's own clock for idle connections, if it runs, count from this answer."""
    if isinstance(protocol, RequestHandler):
        protocol._next_keepalive_close_time = until


@functools.lru_cache(4096)
def _head(fields: tuple[tuple[str, str], ...], length: int, is_strict: bool | None) -> bytes:
    all_fields = dict(fields)
    if is_strict is not None:
        all_fields = browser.fields(is_strict=is_strict) | all_fields
    lines = [f"{name}: {value}\r\n" for name, value in all_fields.items()]
    return (
        f"HTTP/1.1 200 OK\r\n{''.join(lines)}Content-Length: {length}\r\n"
        f"Server: {SERVER_SOFTWARE}\r\n"
    ).encode("ascii")


@functools.lru_cache(2)
def _date(second: int) -> bytes:
    return f"Date: {formatdate(second, usegmt=True)}\r\n\r\n".encode()
