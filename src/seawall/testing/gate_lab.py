"""A gate between a test and a recording engine, for saying bytes that no client says."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from seawall.gate.settings import GateSettings
from seawall.oci.digest import Digest
from seawall.testing import gates
from seawall.testing.fake_engine import FakeEngine
from seawall.testing.gates import GateParts

IMAGE = "localhost:5443/app:1"
DIGEST = Digest.of(b"app")
PINNED = f"localhost:5443/app@{DIGEST}"
HOST = b"Host: docker\r\n"
JSON = b"Content-Type: application/json\r\n"


@dataclasses.dataclass(kw_only=True)
class Lab:
    """A gate between a test and a recording engine."""

    engine: FakeEngine
    parts: GateParts
    settings: GateSettings

    async def say(self, raw: bytes, *, stay: bool = False) -> bytes:
        """Send bytes on a connection of their own and return all that comes until it closes.

        With `stay` our direction stays open, and the first whole answer is enough.
        """
        reader, writer = await asyncio.open_unix_connection(self.settings.socket)
        writer.write(raw)
        if not stay:
            writer.write_eof()
        answer = bytearray()
        with contextlib.suppress(OSError):
            async with asyncio.timeout(5):
                while data := await reader.read(65536):
                    answer += data
                    if stay and _is_whole(answer):
                        break
        writer.close()
        return bytes(answer)

    async def post(self, path: str, value: object, *headers: str) -> bytes:
        """POST JSON, or bytes that are said to be JSON."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        lines = "".join(f"{line}\r\n" for line in headers).encode()
        return await self.say(
            b"POST %b HTTP/1.1\r\n%b%b%bContent-Length: %d\r\n\r\n%b"
            % (path.encode(), HOST, JSON, lines, len(body), body)
        )


def _is_whole(answer: bytearray) -> bool:
    head, found, body = bytes(answer).partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return bool(found) and len(body) >= int(line.split(b":")[1])
    return b" 204 " in head or body.endswith(b"0\r\n\r\n")


@contextlib.asynccontextmanager
async def lab_with(**changes: float) -> AsyncIterator[Lab]:
    """Start a lab whose gate's settings have some `changes`."""
    engine, parts = FakeEngine(), GateParts()
    parts.admission.admit(IMAGE, DIGEST)
    ready, stop = asyncio.Event(), asyncio.Event()
    with tempfile.TemporaryDirectory(prefix="swg-") as directory:
        settings = GateSettings(
            engine_socket=Path(directory) / "engine.sock",
            registry_hosts=("localhost:5443",),
            socket=Path(directory) / "gate.sock",
            grace_s=0.2,
        )
        settings = dataclasses.replace(settings, **changes)  # type: ignore[arg-type]
        async with engine.listening(settings.engine_socket), asyncio.TaskGroup() as tasks:
            tasks.create_task(gates.serve(settings, parts, ready, stop))
            await ready.wait()
            yield Lab(engine=engine, parts=parts, settings=settings)
            stop.set()


def status(answer: bytes) -> int:
    """Return the status of the first answer, 0 when there is none."""
    return int(answer.split(b" ", 2)[1]) if answer else 0
