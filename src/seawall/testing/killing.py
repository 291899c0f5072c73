"""Moments at which to kill a process: counted in progress, never in time alone.

A moment is a number of steps of the client, and then a number of changes on the server's disk
(commits, frames of the write-ahead log, files and their sizes), so it falls inside the server's own
work, between two of its writes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

GIVE_UP_SECONDS: Final = 0.5  # nothing changes any more: kill an idle process, also a moment
SHM_HEADER_BYTES: Final = 48  # "WAL-index header": changes with every commit


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """After `steps` of the client's progress, and `changes` of the disk after that."""

    steps: int
    changes: int


@dataclass(slots=True, kw_only=True)
class Killer:
    """Calls `kill` once per armed moment. `step` is the client's `progress`."""

    state: Path
    kill: Callable[[], None]
    kills: int = 0
    _moment: Moment | None = None
    _steps: int = 0
    _watch: threading.Thread | None = None
    _is_over: threading.Event = field(default_factory=threading.Event)

    def arm(self, moment: Moment) -> None:
        """Kill at `moment`, counted from now."""
        self._moment, self._steps = moment, 0

    def take_steps(self) -> int:
        """Return how many steps were counted since `arm` or the last call."""
        steps, self._steps = self._steps, 0
        return steps

    def step(self) -> None:
        """Count one step, and kill when it is time."""
        self._steps += 1
        moment = self._moment
        if moment is None or self._steps < moment.steps:
            return
        self._moment = None
        if moment.changes == 0:
            self._strike()
            return
        before = disk(self.state)
        self._is_over.clear()
        self._watch = threading.Thread(target=self._after, args=(moment.changes, before))
        self._watch.start()

    def join(self) -> None:
        """Wait until a kill that is under way is done: before the next life, and at the end."""
        if self._watch is not None:
            self._watch.join()
            self._watch = None

    def _after(self, changes: int, before: object) -> None:
        timer = threading.Timer(GIVE_UP_SECONDS, self._is_over.set)
        timer.start()
        while changes and not self._is_over.is_set():
            now = disk(self.state)
            if now != before:
                before, changes = now, changes - 1
        timer.cancel()
        self._strike()

    def _strike(self) -> None:
        self.kills += 1
        self.kill()


def disk(state: Path) -> object:
    """Return something that differs when anything of the state was written."""
    database = str(state / "seawall.sqlite")
    try:
        with open(f"{database}-shm", "rb") as shared:
            commits = shared.read(SHM_HEADER_BYTES)
        log = os.stat(f"{database}-wal")
    except FileNotFoundError:
        return None
    return commits, log.st_size, log.st_mtime_ns, _files(str(state / "blobs"))


def _files(folder: str) -> tuple[tuple[str, int], ...]:
    found: list[tuple[str, int]] = []
    try:
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                found += _files(entry.path)
            else:
                found.append((entry.path, entry.stat().st_size))
    except FileNotFoundError:  # renamed while we look: that is a change
        pass
    return tuple(found)
