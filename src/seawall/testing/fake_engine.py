"""An engine that records what it is asked and answers what it is told: what did the gate send?"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from seawall.core.strictjson import Json

T = TypeVar("T")

CONTAINER = "c" * 64
EXEC = "e" * 64

Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as it arrived."""

    head: bytes
    body: bytes

    @property
    def line(self) -> str:
        """Method and target, with the version."""
        return self.head.split(b" HTTP/", 1)[0].decode()


@dataclass(kw_only=True)
class FakeEngine:
    """Answers by the longest entry of `answers` that begins the method and unversioned target.

    `conversations` are the same for connections that are handed over: each is given the streams
    right after the request.
    """

    api: str = "1.41"
    seen: list[Seen] = field(default_factory=list)
    answers: dict[str, bytes] = field(default_factory=dict)
    conversations: dict[str, Conversation] = field(default_factory=dict)

    def __post_init__(self) -> None:
        gated: dict[str, Json] = {
            "Id": CONTAINER,
            "Config": {"Labels": {"com.seawall.verdict": "7"}},
        }
        self.answers |= {
            "GET /_ping": self.reply(200, "OK"),
            "HEAD /_ping": self.reply(200, None),
            "GET /version": self.reply(
                200, {"ApiVersion": self.api, "MinAPIVersion": "1.12", "Version": "fake"}
            ),
            "GET /info": self.reply(200, {"Name": "fake"}),
            "GET /containers/json": self.reply(200, []),
            f"GET /containers/{CONTAINER}/json": self.reply(200, gated),
            "GET /containers/mine/json": self.reply(200, gated),
            "POST /containers/create": self.reply(201, {"Id": CONTAINER, "Warnings": None}),
            f"POST /containers/{CONTAINER}/exec": self.reply(201, {"Id": EXEC}),
            f"POST /containers/{CONTAINER}/start": self.reply(204, None),
            f"DELETE /containers/{CONTAINER}": self.reply(204, None),
            "POST /images/create": self.reply(200, {"status": "done"}),
            "POST /images/": self.reply(201, None),
        }

    @property
    def lines(self) -> list[str]:
        """Method and target of every request but the gate's own pings."""
        return [each.line for each in self.seen if not each.line.endswith("/_ping")]

    def reply(self, status: int, value: Json) -> bytes:
        """Return a whole answer with `value` as JSON, or without a body when it is None."""
        body = b"" if value is None else json.dumps(value).encode()
        head = (
            f"HTTP/1.1 {status} X\r\nApi-Version: {self.api}\r\nContent-Type: application/json\r\n"
        )
        if status != 204:
            head += f"Content-Length: {len(body)}\r\n"
        return head.encode() + b"\r\n" + body

    @contextlib.asynccontextmanager
    async def listening(self, path: Path) -> AsyncIterator[None]:
        """Listen on the unix socket `path` until the end of the block."""
        server = await asyncio.start_unix_server(self._serve, path)
        try:
            yield
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            seen = await _read_request(reader)
            self.seen.append(seen)
            method, _, target = seen.line.partition(" ")
            if target.startswith("/v1."):
                target = "/" + target.split("/", 2)[2]
            asked = f"{method} {target}"
            if talk := _longest(self.conversations, asked):
                await talk(reader, writer)
            else:
                found = _longest(self.answers, asked)
                missing = self.reply(404, {"message": f"no such thing: {asked}"})
                writer.write(missing if found is None else found)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def _longest(entries: Mapping[str, T], asked: str) -> T | None:
    found = [key for key in entries if asked.startswith(key)]
    return entries[max(found, key=len)] if found else None


async def _read_request(reader: asyncio.StreamReader) -> Seen:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return Seen(head=head, body=await reader.readexactly(length))
