"""Starts the processes, keeps them running, and stops them all cleanly.

A process that dies is started again after a pause that doubles up to half a minute; one that
stood for a minute starts from the shortest pause again. Nothing is lost by a death: what was
acknowledged is on disk, what was not is asked again by the client or the queue.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from seawall import config
from seawall.core.errors import UnavailableError

READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 15.0
FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 30.0
STEADY_SECONDS: Final = 60.0
LOG_MAX_BYTES: Final = 16 * 1024 * 1024
LAST_WORDS_MAX_BYTES: Final = 64 * 1024
LAST_WORDS_MAX_CHARACTERS: Final = 500
TICK_SECONDS: Final = 0.2


@dataclass(slots=True, kw_only=True)
class Child:
    """One supervised process."""

    name: str
    arguments: Sequence[str]
    log: Path
    log_begins: int = 0  # where the words of this life begin in the log
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0  # monotonic seconds
    pause: float = FIRST_PAUSE_SECONDS
    starts_at: float = 0.0  # monotonic seconds; when it is down
    restarts: int = 0


@dataclass(slots=True, kw_only=True)
class Supervisor:
    """Runs `children` until a signal. `say` is told what people should know.

    `family` is a descriptor that every child inherits and nobody reads: its lock tells the next
    supervisor whether any of them still runs. `program` begins the command line of each.
    """

    children: Sequence[Child]
    say: Callable[[str], None]
    family: int
    program: Sequence[str] = (sys.executable, "-m", "seawall")
    _lifeline: tuple[int, int] = field(default=(-1, -1))
    _is_stopping: bool = False

    def run(self, on_ready: Callable[[], None]) -> None:
        """Start all, call `on_ready` once all serve, then watch until SIGTERM or SIGINT.

        Raises UnavailableError when one does not come up.
        """
        self._lifeline = os.pipe()
        with self._signals(), contextlib.ExitStack() as cleanup:
            cleanup.callback(self._stop_all)
            self._start_all()
            if not self._is_stopping:
                on_ready()
            while not self._is_stopping:
                time.sleep(TICK_SECONDS)
                self._watch()

    def _start_all(self) -> None:
        waiting = {self._start(child): child for child in self.children}
        deadline = time.monotonic() + READY_SECONDS
        with selectors.DefaultSelector() as selector:
            for descriptor in waiting:
                selector.register(descriptor, selectors.EVENT_READ)
            while waiting and not self._is_stopping:
                for key, _ in selector.select(timeout=TICK_SECONDS):
                    descriptor = key.fd
                    selector.unregister(descriptor)
                    child = waiting.pop(descriptor)
                    is_up = os.read(descriptor, 1) == b"+"
                    os.close(descriptor)
                    if not is_up:
                        raise self._failure(child)
                if waiting and time.monotonic() > deadline:
                    raise self._failure(next(iter(waiting.values())))

    def _failure(self, child: Child) -> UnavailableError:
        return UnavailableError(
            f"the {child.name} process did not start: {_last_words(child)}",
            remedy=f"read {child.log}",
        )

    def _start(self, child: Child) -> int:
        """Start the process; returns the descriptor on which it says that it is ready."""
        ready_read, ready_write = os.pipe()
        _rotate(child.log)
        with child.log.open("ab") as log:
            child.log_begins = log.tell()
            child.process = subprocess.Popen(
                [
                    *self.program, *child.arguments,
                    "--ready-fd", str(ready_write), "--lifeline-fd", str(self._lifeline[0]),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(ready_write, self._lifeline[0], self.family),
                env=config.child_environment(),
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops them
            )  # fmt: skip
        os.close(ready_write)
        child.started = time.monotonic()
        return ready_read

    def _watch(self) -> None:
        now = time.monotonic()
        for child in self.children:
            if child.process is None:
                if now >= child.starts_at:
                    os.close(self._start(child))
                    child.restarts += 1
                    self.say(f"{child.name} was started again (process {_pid(child)})")
                continue
            code = child.process.poll()
            if code is None:
                if now - child.started > STEADY_SECONDS:
                    child.pause = FIRST_PAUSE_SECONDS
                continue
            child.process = None
            child.starts_at = now + child.pause
            self.say(f"{child.name} ended unasked ({_how(code)}); starting it again")
            child.pause = min(child.pause * 2, LONGEST_PAUSE_SECONDS)

    def _stop_all(self) -> None:
        running = [child for child in self.children if child.process is not None]
        for child in running:
            assert child.process is not None
            child.process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for child in running:
            assert child.process is not None
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(f"{child.name} did not stop in {STOP_SECONDS:.0f} s and was ended")
                child.process.kill()
                child.process.wait()
        for descriptor in self._lifeline:
            os.close(descriptor)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def stop(*_: object) -> None:
            self._is_stopping = True

        before = {
            name: signal.signal(name, stop)
            for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        }
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)


def _last_words(child: Child) -> str:
    """Return the last thing that this life said, with the lines that are indented below it."""
    with child.log.open("rb") as log:
        log.seek(child.log_begins)
        lines = log.read(LAST_WORDS_MAX_BYTES).decode(errors="replace").rstrip().splitlines()
    begin = max((n for n, line in enumerate(lines) if not line.startswith(" ")), default=0)
    words = "; ".join(line.strip() for line in lines[begin:])
    return words.removeprefix("seawall: ")[:LAST_WORDS_MAX_CHARACTERS] or "it said nothing"


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _rotate(log: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_MAX_BYTES:
            log.replace(log.with_suffix(".log.1"))


def _pid(child: Child) -> int:
    return child.process.pid if child.process is not None else 0
