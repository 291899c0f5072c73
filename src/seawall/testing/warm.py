"""`seawall` commands from a warm process: each runs in a process of its own, without the imports.

Tests run some hundred commands, and each would first spend a second on importing the same modules.
A server that has imported them forks one process for each command instead, with the arguments,
environment, directory and standard streams that a new program would get. What a fork cannot show —
that the program starts at all, and what it costs — is seen by `seawall up` and its processes, the
tests of the command line and `make demo`, which start it as people do.
"""

from __future__ import annotations

import contextlib
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
DEFAULT_SECONDS: Final = 120.0
DIED: Final = 255
"""Exit code of a command whose process ended without one."""

Done = subprocess.CompletedProcess[str]


class Request(msgspec.Struct, frozen=True):
    """One command, as a new program would see it."""

    words: tuple[str, ...]
    directory: str
    environment: dict[str, str]


class Server:
    """The client's side: the warm process of this test process, started by the first command."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def run(
        self,
        words: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        stdin: str | None = "",
        seconds: float = DEFAULT_SECONDS,
    ) -> Done:
        """Run `seawall` with these arguments until it ends; `stdin` is what it can read.

        Raises TimeoutExpired, after ending it.
        """
        request = Request(tuple(words), str(cwd or Path.cwd()), dict(env))
        with contextlib.ExitStack() as files:
            given, out, err = (
                files.enter_context(tempfile.TemporaryFile()) for _ in range(STREAMS)
            )
            given.write((stdin or "").encode())
            given.seek(0)
            mine, theirs = map(files.enter_context, socket.socketpair())
            streams = [given.fileno(), out.fileno(), err.fileno(), theirs.fileno()]
            socket.send_fds(self._connection(), [msgspec.msgpack.encode(request)], streams)
            theirs.close()
            code = _await(mine, words, seconds)
            texts = []
            for stream in (out, err):
                stream.seek(0)
                texts.append(stream.read().decode())
        return subprocess.CompletedProcess(["seawall", *words], code, *texts)

    def _connection(self) -> socket.socket:
        if self._socket is None:
            self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with other:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "seawall.testing.warm", str(other.fileno())],
                    stdin=subprocess.DEVNULL, pass_fds=(other.fileno(),),
                )  # fmt: skip
        return self._socket


def _await(status: socket.socket, words: Sequence[str], seconds: float) -> int:
    """Wait for the exit code; the first line of `status` is the process to end when it is late."""
    status.settimeout(seconds)
    with status.makefile("r") as lines:
        runner = lines.readline()
        try:
            return int(lines.readline() or DIED)
        except TimeoutError:
            os.killpg(int(runner), signal.SIGKILL)
            raise subprocess.TimeoutExpired(["seawall", *words], seconds) from None


_server = Server()


def seawall(
    *words: str,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: str | None = "",
    seconds: float = DEFAULT_SECONDS,
) -> Done:
    """Run one command in a process of its own, with nothing but this environment."""
    return _server.run(words, env=env, cwd=cwd, stdin=stdin, seconds=seconds)


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
        content, descriptors, _, _ = socket.recv_fds(connection, MAX_REQUEST_BYTES, STREAMS + 1)
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
    *streams, status = descriptors
    os.write(status, f"{os.getpid()}\n".encode())
    child = os.fork()
    if child == 0:
        os.close(status)
        _become(request, streams)
    _, ended = os.waitpid(child, 0)
    os.write(status, f"{os.waitstatus_to_exitcode(ended)}\n".encode())
    os._exit(0)


def _become(request: Request, streams: Sequence[int]) -> None:
    from seawall.cli import main

    code = DIED
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
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


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as inherited:
        serve(inherited)
