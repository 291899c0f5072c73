"""The gate's process: listeners, connections, and a stop that lets streams end.

`serve` refuses to start on a socket that another process serves, and to listen on TCP without
client certificates.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Final

from seawall.core.actor import Actor
from seawall.core.errors import ConflictError, InvalidInputError
from seawall.gate import streams, tls
from seawall.gate.parts import Gate
from seawall.gate.peers import CertificateHolder, LocalUser
from seawall.gate.ports import Admission, Identify, PullToken, Receipts
from seawall.gate.session import Session
from seawall.gate.settings import GateSettings
from seawall.gate.streams import PlainStream, Stream
from seawall.gate.tls import TlsStream
from seawall.gate.upstream import Engine
from seawall.gate.wire import Wire
from seawall.isolation.seccomp import Profile

BACKLOG: Final = 256

_log: Final = logging.getLogger("seawall.gate")


async def serve(
    settings: GateSettings,
    *,
    admission: Admission,
    receipts: Receipts,
    identify: Identify,
    pull_token: PullToken,
    profile: Profile,
    ready: Callable[[], None],
    stop: asyncio.Event,
) -> None:
    """Serve until `stop` is set; `ready` is called once every listener accepts.

    At the stop, idle connections close at once, streams after `grace_s`, and a container that is
    being created still gets its receipt. Raises SeawallError when a listener cannot be made.
    """
    engine = Engine(settings.engine_socket, answer_s=settings.answer_s)
    gate = Gate(
        settings=settings,
        engine=engine,
        admission=admission,
        receipts=receipts,
        pull_token=pull_token,
        profile=profile,
    )
    doors = _Doors(gate, identify)
    async with asyncio.TaskGroup() as tasks, contextlib.AsyncExitStack() as listeners:
        doors.tasks = tasks
        if settings.socket is not None:
            await listeners.enter_async_context(_unix_listener(settings.socket, doors))
        if settings.port is not None:
            await listeners.enter_async_context(_tls_listener(settings, doors))
        ready()
        await stop.wait()
        await listeners.aclose()
        await doors.wind_down(settings.grace_s)


class _Doors:
    """The connections that are open."""

    def __init__(self, gate: Gate, identify: Identify) -> None:
        self._gate = gate
        self._identify = identify
        self._open: dict[asyncio.Task[None], Session | None] = {}
        self.tasks: asyncio.TaskGroup

    def accept_unix(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._accept(writer, lambda: self._unix(reader, writer))

    def accept_tls(self, context: ssl.SSLContext) -> Callable[..., None]:
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            stream = TlsStream(reader, writer, context)
            self._accept(writer, lambda: self._tls(stream, writer))

        return accept

    async def wind_down(self, grace_s: float) -> None:
        """Close what is idle, wait for the rest, then cut what is still streaming."""
        for task, session in self._open.items():
            if session is None or session.is_idle:
                task.cancel()
            else:
                session.is_stopping = True
        if self._open:
            await asyncio.wait(self._open, timeout=grace_s)
        for task, session in self._open.items():
            if session is None or not session.is_creating:
                task.cancel()

    def _accept(
        self, writer: asyncio.StreamWriter, work: Callable[[], Coroutine[None, None, None]]
    ) -> None:
        if len(self._open) >= self._gate.settings.max_connections:
            _log.warning("a connection was refused: %d are open", len(self._open))
            writer.transport.abort()
            return
        task = self.tasks.create_task(work())
        self._open[task] = None
        task.add_done_callback(self._open.pop)

    async def _unix(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._session(PlainStream(reader, writer), LocalUser(writer).who)

    async def _tls(self, stream: TlsStream, writer: asyncio.StreamWriter) -> None:
        settings = self._gate.settings
        streams.tune(writer)
        try:
            await stream.handshake()
        except (OSError, TimeoutError) as error:
            _log.info("a handshake failed: %s", error)
            await stream.aclose()
            return
        holder = CertificateHolder(
            stream.peer_certificate,
            self._identify,
            max_age_s=settings.identity_s,
            deadline_s=settings.decision_s,
        )
        await self._session(stream, holder.who)

    async def _session(self, stream: Stream, who: Callable[[], Awaitable[Actor]]) -> None:
        session = Session(self._gate, Wire(stream), who)
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = session
        await session.run()


@contextlib.asynccontextmanager
async def _unix_listener(path: Path, doors: _Doors) -> AsyncIterator[None]:
    _remove_stale(path)
    before = os.umask(0o177)  # the file is ours alone from its first moment
    try:
        server = await asyncio.start_unix_server(
            doors.accept_unix, path, limit=streams.CHUNK, backlog=BACKLOG
        )
    finally:
        os.umask(before)
    try:
        yield
    finally:
        server.close()
        _remove(path)


@contextlib.asynccontextmanager
async def _tls_listener(settings: GateSettings, doors: _Doors) -> AsyncIterator[None]:
    if settings.tls is None:
        raise InvalidInputError("a TCP port of the gate needs certificates")
    try:
        server = await asyncio.start_server(
            doors.accept_tls(tls.server_context(settings.tls)),
            settings.host,
            settings.port,
            limit=streams.CHUNK,
            backlog=BACKLOG,
        )
    except OSError as error:
        raise ConflictError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}",
            remedy="choose another port for the gate in seawall.toml",
        ) from error
    try:
        yield
    finally:
        server.close()


def _remove_stale(path: Path) -> None:
    """Remove the socket of a gate that was killed; refuse anything else in its place."""
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise ConflictError(f"{path} exists and is not a socket", remedy="move it away")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            _remove(path)
            return
    raise ConflictError(f"another process serves {path}", remedy="stop it first")


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
