"""A real installation over a temporary state directory, made to be killed.

Its processes are the real ones: all of them under `seawall up`, or single ones with `seawall serve`
(whose next life needs no pause). A process is found by the state directory in its command line, so
what outlives its supervisor is seen too, and nothing is left behind.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from seawall import audit, config
from seawall.app import rooms, setup
from seawall.core.errors import NotFoundError
from seawall.jobs import dispatch, queue, worker
from seawall.oci.digest import Digest
from seawall.testing import warm
from seawall.testing.registry_server import free_port

READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
WORK_SECONDS: Final = 120.0
POLL_SECONDS: Final = 0.01
READY: Final = "seawall: ready in"


@dataclass(slots=True, kw_only=True)
class Served:
    """One process of an installation, run alone by `seawall serve`; it can have many lives."""

    installation: Installation
    words: tuple[str, ...]
    process: warm.Process | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Start it and wait until it says that it serves."""
        ready, write = os.pipe()
        with (self.installation.directory / f"{self.words[0]}.log").open("ab") as log:
            self.process = warm.start(
                "serve", "--state", str(self.installation.state), *self.words,
                "--ready-fd", str(write), env=os.environ, log=log.fileno(), inherited=(write,),
            )  # fmt: skip
        os.close(write)
        try:
            is_ready, _, _ = select.select([ready], [], [], READY_SECONDS)
            if not is_ready or os.read(ready, 1) != b"+":
                raise AssertionError(f"{self.words[0]} did not start")
        finally:
            os.close(ready)

    def kill(self) -> None:
        """End it at once, as a crash would; nothing happens when it has ended."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@dataclass(slots=True, kw_only=True)
class Installation:
    """An installation; `password` is its administrator's, known after the first start."""

    directory: Path
    state: Path
    web_port: int
    gate_port: int
    password: str = ""
    up: subprocess.Popen[bytes] | None = None
    _served: list[Served] = field(default_factory=list)

    @property
    def settings(self) -> config.Settings:
        return config.load(str(self.state))

    @property
    def said(self) -> str:
        """What all lives of `seawall up` have said."""
        log = self.directory / "up.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def command(self, *words: str) -> list[str]:
        """Return the command line of `seawall` on this state."""
        name, *rest = words
        return [sys.executable, "-m", "seawall", name, "--state", str(self.state), *rest]

    def seawall(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one command on this state until it ends."""
        return warm.seawall(*words, "--state", str(self.state), env=os.environ)

    def prepare(self) -> None:
        """Bring the state into being without starting anything, as `up` does first."""
        setup.make_directories(self.settings)
        first = setup.prepare(self.settings).first_password
        self.password = first.reveal() if first is not None else self.password

    def start(self) -> None:
        """Run `seawall up`; return when it is ready. Raises AssertionError with what it said."""
        before = len(self.said)
        with (self.directory / "up.log").open("ab") as log:
            self.up = subprocess.Popen(
                self.command("up"), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        up = self.up
        wait_until(lambda: READY in self.said[before:] or up.poll() is not None, READY_SECONDS)
        said = self.said[before:]
        if READY not in said:
            raise AssertionError(f"seawall up did not become ready:\n{said}")
        if shown := re.search(r"^seawall: password +(\S+)$", said, re.M):
            self.password = shown[1]

    def stop(self) -> int:
        """Stop `seawall up` as a person does, and return its exit code."""
        assert self.up is not None
        self.up.send_signal(signal.SIGTERM)
        return self.up.wait(STOP_SECONDS)

    def kill_supervisor(self) -> None:
        """End `seawall up` itself at once; its children are not touched."""
        assert self.up is not None
        self.up.kill()
        self.up.wait()

    def serve(self, *words: str) -> Served:
        """Start one process alone, such as "web"; it is ended with the installation."""
        served = Served(installation=self, words=words)
        self._served.append(served)
        served.start()
        return served

    def processes(self) -> dict[int, str]:
        """Return the names of all that runs on this state, by id; the supervisor is "up"."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (name := self._name(entry)) is not None:
                found[int(entry.name)] = name
        return found

    def is_serving(self) -> bool:
        """Tell whether the web process takes connections."""
        try:
            socket.create_connection(("127.0.0.1", self.web_port), timeout=5).close()
        except OSError:
            return False
        return True

    def pid_of(self, name: str) -> int:
        """Return the id of the one process that has this name."""
        (pid,) = [pid for pid, other in self.processes().items() if other == name]
        return pid

    @contextlib.contextmanager
    def rooms(self) -> Iterator[rooms.House]:
        """Look into the state from this process, as a local command does."""
        with setup.opened(self.settings) as house:
            yield house

    def is_idle(self) -> bool:
        """Tell whether the workers have read every event and no job is left.

        Raises AssertionError when a job was given up.
        """
        with self.rooms() as house, house.database.read() as connection:
            counts = queue.counts(connection, now=house.clock.now())
            if counts.failed:
                raise AssertionError(f"{counts.failed} jobs were given up")
            read = dispatch.cursor(connection, worker.CURSOR)
            return not counts.queued and not counts.running and read == audit.head(connection).seq

    def wait_idle(self) -> None:
        """Wait until the workers have done everything."""
        wait_until(self.is_idle, WORK_SECONDS)

    def missing_reports(self, digests: Iterable[Digest]) -> list[Digest]:
        """Return which of these images have no report."""
        with self.rooms() as house:
            return [digest for digest in digests if house.reports.latest(digest) is None]

    def is_log_whole(self) -> bool:
        """Tell whether the chain of the audit log verifies."""
        with self.rooms() as house, house.database.read() as connection:
            return isinstance(audit.verify(connection), audit.Head)

    def logs(self) -> str:
        """Return the ends of all logs, for the report of a failure."""
        files = sorted((*self.directory.glob("*.log"), *self.state.glob("logs/*.log")))
        return "\n".join(f"== {f.name}\n{f.read_text(errors='replace')[-4000:]}" for f in files)

    def end(self) -> None:
        """Stop everything, however it stands."""
        for served in self._served:
            served.kill()
        if self.up is not None and self.up.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill_supervisor()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _name(self, entry: Path) -> str | None:
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has ended meanwhile
            return None
        if str(self.state) not in words or "seawall" not in words:
            return None
        names = [word for word in words if word in {"up", "web", "gate", "worker"}]
        index = words[words.index("--index") + 1 :][:1] if "--index" in words else []
        return "-".join((*names, *index)) or None


@contextlib.contextmanager
def installation(directory: Path, *, settings: str = "") -> Iterator[Installation]:
    """Give an installation that is not started yet; `settings` is added to its `seawall.toml`.

    Its logs are written to standard error when the block fails.
    """
    # The gate's socket lies in it, and paths of sockets are limited to 107 bytes.
    with tempfile.TemporaryDirectory(prefix="swk-", dir="/tmp") as short:
        state = Path(short) / "state"
        state.mkdir(mode=0o700)
        house = Installation(
            directory=directory, state=state, web_port=free_port(), gate_port=free_port()
        )
        (state / config.SETTINGS_FILE).write_text(
            f"[web]\nport = {house.web_port}\n[gate]\nport = {house.gate_port}\n{settings}"
        )
        try:
            yield house
        except BaseException:
            sys.stderr.write(house.logs())
            raise
        finally:
            house.end()


def wait_until(is_so: Callable[[], object], seconds: float) -> None:
    """Look again and again until `is_so`. Raises NotFoundError when the time is over."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise NotFoundError(f"waited {seconds:.0f} s in vain")
        time.sleep(POLL_SECONDS)
