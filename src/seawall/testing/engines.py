"""A Docker Engine of a test's own: real, private, and gone without a trace afterwards.

It listens on a unix socket only, has no bridge and writes no firewall rule, so it disturbs neither
an engine of the machine nor another test's. It needs root and `dockerd`; ask `why_no_engine` first.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 30.0
COMMAND_TIMEOUT_S: Final = 180.0
POLL_S: Final = 0.05
STORAGE_DRIVERS: Final = ("overlay2", "vfs")  # the second works on any file system


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A running engine. `directory` is short-lived and holds its socket, data and log."""

    socket: Path
    directory: Path
    pid: int
    storage_driver: str

    @property
    def host(self) -> str:
        """The engine's address as `docker -H` takes it."""
        return f"unix://{self.socket}"

    @property
    def log(self) -> Path:
        return self.directory / "dockerd.log"

    def docker(
        self,
        *arguments: str,
        stdin: bytes | None = None,
        check: bool = True,
        timeout: float = COMMAND_TIMEOUT_S,
    ) -> subprocess.CompletedProcess[str]:
        """Run the stock `docker` client against this engine, with a configuration of its own.

        Raises AssertionError with the client's own words when it fails and `check` holds.
        """
        return docker(
            self.host,
            *arguments,
            config=self.directory / "client",
            stdin=stdin,
            check=check,
            timeout=timeout,
        )


class EngineDidNotStartError(RuntimeError):
    """`dockerd` ended, or did not answer in time; the message ends with its log."""


def why_no_engine() -> str:
    """Return why no private engine can be started here, or an empty text if one can."""
    if os.geteuid() != 0:
        return "needs root to start a private dockerd"
    for program in ("dockerd", "containerd", "docker"):
        if shutil.which(program) is None:
            return f"needs the program {program}, and it is not installed"
    return ""


def docker(
    host: str,
    *arguments: str,
    config: Path,
    stdin: bytes | None = None,
    check: bool = True,
    timeout: float = COMMAND_TIMEOUT_S,
) -> subprocess.CompletedProcess[str]:
    """Run the stock `docker` client against any `host`, such as `unix:///run/gate.sock`."""
    done = subprocess.run(
        ("docker", "--config", str(config), "-H", host, *arguments),
        input=stdin,
        capture_output=True,
        check=False,
        timeout=timeout,
    )
    result = subprocess.CompletedProcess(
        done.args,
        done.returncode,
        done.stdout.decode(errors="replace"),
        done.stderr.decode(errors="replace"),
    )
    if check and result.returncode:
        words = f"{result.stdout}{result.stderr}"
        raise AssertionError(f"docker {' '.join(arguments)} exited {result.returncode}:\n{words}")
    return result


@contextlib.contextmanager
def private_engine(directory: Path, *options: str) -> Iterator[Engine]:
    """Start a `dockerd` of one's own with its data under `directory`; stop it at the end.

    `options` are added to its command line, such as `--userns-remap=default` or
    `--insecure-registry=…` (127.0.0.0/8 needs none). Raises EngineDidNotStartError.
    """
    # Socket paths are limited to 107 bytes, and pytest's folders may be longer.
    run = Path(tempfile.mkdtemp(prefix="swe-", dir="/tmp"))
    data = directory / "engine"
    data.mkdir(parents=True, exist_ok=True)
    (run / "daemon.json").write_text("{}")  # never read the machine's own configuration
    process: subprocess.Popen[bytes] | None = None
    try:
        process, driver = _start(run, data, options)
        yield Engine(socket=run / "d.sock", directory=run, pid=process.pid, storage_driver=driver)
    finally:
        if process is not None:
            _stop(process)
        for leftover in (run, data):
            _unmount_below(leftover)
            shutil.rmtree(leftover, ignore_errors=True)


def _start(run: Path, data: Path, options: tuple[str, ...]) -> tuple[subprocess.Popen[bytes], str]:
    for driver in STORAGE_DRIVERS:
        with (run / "dockerd.log").open("ab") as log:
            process = subprocess.Popen(
                _command(run, data, driver, options),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C in the terminal is for pytest, which stops us
            )
        if _wait_answering(process, run / "d.sock"):
            return process, driver
        _stop(process)
    tail = (run / "dockerd.log").read_text(errors="replace")[-4000:]
    raise EngineDidNotStartError(f"dockerd did not start; its log ends:\n{tail}")


def _command(run: Path, data: Path, driver: str, options: tuple[str, ...]) -> list[str]:
    return [
        "dockerd",
        f"--config-file={run / 'daemon.json'}",
        f"--data-root={data}",
        f"--exec-root={run / 'x'}",
        f"--pidfile={run / 'd.pid'}",
        f"--host=unix://{run / 'd.sock'}",
        f"--storage-driver={driver}",
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
        "--shutdown-timeout=5",
        *options,
    ]


def _wait_answering(process: subprocess.Popen[bytes], path: Path) -> bool:
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        if path.exists() and _is_answering(path):
            return True
        time.sleep(POLL_S)
    return False


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=5)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _is_answering(path: Path) -> bool:
    connection = _UnixConnection(path)
    try:
        connection.request("GET", "/_ping")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop it by the gentle signal first: it then ends its containers and its containerd."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _unmount_below(directory: Path) -> None:
    prefix = f"{directory}/"
    points = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for point in reversed([point for point in points if point.startswith(prefix)]):
        subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)
