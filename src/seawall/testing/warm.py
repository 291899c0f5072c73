"""`seawall` commands from a warm process: each runs in a process of its own, without the imports.

Tests run some hundred commands, and each would first spend a second on importing the same modules.
A server that has imported them forks one process for each command instead, with the arguments,
environment, directory and standard streams that a new program would get. What a fork cannot show —
that the program starts at all, and what it costs — is seen by `seawall up` and its processes, the
tests of the command line and `make demo`, which start it as people do.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from seawall import app, cli

MAX_REQUEST_BYTES: Final = 128 * 1024
STREAMS: Final = 3
MAX_DESCRIPTORS: Final = 16
DEFAULT_SECONDS: Final = 120.0
HIGH: Final = 200
"""A number above those of all descriptors in use."""

DIED: Final = 255
"""Exit code of a command whose process ended without one."""

Done = subprocess.CompletedProcess[str]


class Request(msgspec.Struct, frozen=True):
    """One command, as a new program would see it."""

    words: tuple[str, ...]
    directory: str
    environment: dict[str, str]
    descriptors: tuple[int, ...]
    """The numbers that the passed descriptors shall have: 0, 1 and 2, and others to inherit."""


class Process:
    """A command that runs."""

    def __init__(self, words: Sequence[str], status: socket.socket) -> None:
        self._words = words
        self._status = status
        self._lines = status.makefile("r")
        self._code: int | None = None
        self.pid = int(self._lines.readline())

    def kill(self) -> None:
        """End it at once, as a crash would; nothing happens when it has ended."""
        if self._code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def wait(self, seconds: float | None = None) -> int:
        """Return its exit code, negative for a signal. Raises TimeoutExpired after ending it."""
        if self._code is None:
            self._status.settimeout(seconds)
            try:
                self._code = int(self._lines.readline() or DIED)
            except TimeoutError:
                self.kill()
                raise subprocess.TimeoutExpired(self._words, seconds or 0) from None
            self._lines.close()
            self._status.close()
        return self._code


class Server:
    """The client's side: the warm process of this test process, started by the first command."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def start(
        self,
        words: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None,
        descriptors: Mapping[int, int],
    ) -> Process:
        """Run `seawall` with these arguments; `descriptors` are ours by the number it shall see."""
        numbers = tuple(descriptors)
        request = Request(tuple(words), str(cwd or Path.cwd()), dict(env), numbers)
        mine, theirs = socket.socketpair()
        with theirs:
            passed = [theirs.fileno(), *descriptors.values()]
            socket.send_fds(self._connection(), [msgspec.msgpack.encode(request)], passed)
        return Process(words, mine)

    def _connection(self) -> socket.socket:
        if self._socket is None:
            self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with other:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "seawall.testing.warm", str(other.fileno())],
                    stdin=subprocess.DEVNULL, pass_fds=(other.fileno(),),
                )  # fmt: skip
        return self._socket


_server = Server()


def seawall(
    *words: str,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: str = "",
    seconds: float = DEFAULT_SECONDS,
) -> Done:
    """Run one command to its end in a process of its own, with nothing but this environment.

    Raises TimeoutExpired, after ending it.
    """
    with contextlib.ExitStack() as files:
        given, out, err = (files.enter_context(tempfile.TemporaryFile()) for _ in range(STREAMS))
        given.write(stdin.encode())
        given.seek(0)
        streams = {0: given.fileno(), 1: out.fileno(), 2: err.fileno()}
        code = _server.start(words, env=env, cwd=cwd, descriptors=streams).wait(seconds)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode())
    return subprocess.CompletedProcess(["seawall", *words], code, *texts)


def start(*words: str, env: Mapping[str, str], log: int, inherited: Sequence[int] = ()) -> Process:
    """Start a command that stays; it writes to the descriptor `log`."""
    with Path(os.devnull).open("rb") as nothing:
        streams = {0: nothing.fileno(), 1: log, 2: log} | {number: number for number in inherited}
        return _server.start(words, env=env, cwd=None, descriptors=streams)


# -- the server's side


def serve(connection: socket.socket) -> None:
    """Fork one process for each request, until the other side is gone."""
    for package in (app, cli):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    for name in ("sqlalchemy.dialects.sqlite", "seawall.testing.warm"):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the runners
    while True:
        content, descriptors, _, _ = socket.recv_fds(connection, MAX_REQUEST_BYTES, MAX_DESCRIPTORS)
        if not content:
            return
        if os.fork() == 0:
            connection.close()
            _run(msgspec.msgpack.decode(content, type=Request), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _run(request: Request, descriptors: Sequence[int]) -> None:
    """Run the command in a child, say how it ended, and end."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    status, *streams = descriptors
    child = os.fork()
    if child == 0:
        os.close(status)
        _become(request, streams)
    os.write(status, f"{child}\n".encode())
    for stream in streams:
        os.close(stream)
    _, ended = os.waitpid(child, 0)
    os.write(status, f"{os.waitstatus_to_exitcode(ended)}\n".encode())
    os._exit(0)


def _become(request: Request, streams: Sequence[int]) -> None:
    from seawall.cli import main

    code = DIED
    try:
        _renumber(dict(zip(request.descriptors, streams, strict=True)))
        os.chdir(request.directory)
        os.environ.clear()
        os.environ.update(request.environment)
        sys.argv[1:] = request.words
        code = main.main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _renumber(streams: Mapping[int, int]) -> None:
    """Give each descriptor its number, whatever stands in the way, and close what is left."""
    safe = {number: fcntl.fcntl(fd, fcntl.F_DUPFD, HIGH) for number, fd in streams.items()}
    os.closerange(STREAMS, HIGH)
    for number, descriptor in safe.items():
        os.dup2(descriptor, number)
        os.close(descriptor)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as inherited:
        serve(inherited)
