"""The gate's process: listeners, connections, and a stop that lets streams end.

`serve` refuses to start on a socket that another process serves, and to listen on TCP without
client certificates.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import socket
import ssl
import stat
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

from seawall.core.actor import Actor
from seawall.core.errors import ConflictError
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
ACCEPT_PAUSE_S: Final = 0.1
FILES_PER_CONNECTION: Final = 4

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
    _raise_file_limit(settings.max_connections * FILES_PER_CONNECTION)
    engine = Engine(settings.engine_socket, answer_s=settings.answer_s)
    gate = Gate(
        settings=settings,
        engine=engine,
        admission=admission,
        receipts=receipts,
        pull_token=pull_token,
        profile=profile,
    )
    with contextlib.ExitStack() as opened:
        listeners = list(_listeners(settings, opened))
        async with asyncio.TaskGroup() as tasks:
            doors = _Doors(gate, identify, tasks)
            accepting = [tasks.create_task(doors.accept(*each)) for each in listeners]
            ready()
            await stop.wait()
            for task in accepting:
                task.cancel()
            opened.close()
            await doors.wind_down(settings.grace_s)


class _Doors:
    """The connections that are open."""

    def __init__(self, gate: Gate, identify: Identify, tasks: asyncio.TaskGroup) -> None:
        self._gate = gate
        self._identify = identify
        self._tasks = tasks
        self._open: dict[asyncio.Task[None], Session | None] = {}

    async def accept(self, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        """Accept connections for ever, each served by a task of its own."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:  # out of file descriptors, or the client is gone again
                _log.warning("a connection was not accepted: %s", error)
                await asyncio.sleep(ACCEPT_PAUSE_S)
                continue
            if len(self._open) >= self._gate.settings.max_connections:
                _log.warning("a connection was refused: %d are open", len(self._open))
                connection.close()
                continue
            task = self._tasks.create_task(self._serve(connection, context))
            self._open[task] = None
            task.add_done_callback(self._open.pop)

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

    async def _serve(self, connection: socket.socket, context: ssl.SSLContext | None) -> None:
        """Serve a connection and close it; one that breaks must not take others with it."""
        try:
            if context is None:
                await self._session(PlainStream(connection), LocalUser(connection).who)
            else:
                await self._serve_tls(connection, context)
        except OSError as error:
            _log.debug("a connection was cut: %s", error)
        except Exception:
            _log.exception("a connection failed")
        finally:
            connection.close()

    async def _serve_tls(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        settings = self._gate.settings
        streams.tune(connection)
        stream = TlsStream(PlainStream(connection), context)
        try:
            await stream.handshake()
        except OSError as error:  # TimeoutError and ssl.SSLError are of its kind
            _log.info("a handshake failed: %s", error)
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


def _listeners(
    settings: GateSettings, opened: contextlib.ExitStack
) -> Iterator[tuple[socket.socket, ssl.SSLContext | None]]:
    """Open what the settings ask for; `opened` closes it. One with a context speaks TLS."""
    if settings.socket is not None:
        unix = opened.enter_context(_unix_listener(settings.socket))
        opened.callback(_remove, settings.socket)
        yield unix, None
    if settings.port is not None and settings.tls is not None:
        context = tls.server_context(settings.tls)
        yield opened.enter_context(_tcp_listener(settings.host, settings.port)), context


def _unix_listener(path: Path) -> socket.socket:
    """Listen on `path`, a file that is ours alone from its first moment."""
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise ConflictError(
            f"cannot listen on {path}: {_cause(error)}", remedy="name another path for the socket"
        ) from error
    finally:
        os.umask(before)
    return _listening(listener)


def _cause(error: OSError) -> str:
    """Say it in the system's words: Python's name the address again."""
    return os.strerror(error.errno) if error.errno else str(error)


def _tcp_listener(host: str, port: int) -> socket.socket:
    try:
        return _listening(socket.create_server((host, port)))
    except OSError as error:
        raise ConflictError(
            f"cannot listen on {host} port {port}: {_cause(error)}",
            remedy="choose another port for the gate in seawall.toml",
        ) from error


def _listening(listener: socket.socket) -> socket.socket:
    listener.setblocking(False)
    listener.listen(BACKLOG)
    return listener


def _raise_file_limit(wanted: int) -> None:
    """Let as many files be open as the connections need, as far as the machine allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


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
