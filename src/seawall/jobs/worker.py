"""The loop that does the work: dispatch, claim, run, finish — until it is told to stop.

One job at a time per worker; the lease is renewed by a thread beside it. An error of a job is
kept with the job and tried again; it never ends the loop.

Work on the whole fleet comes by the thousand and nobody looks at it, so its kinds give way: what
somebody waits for goes first. But every fourth job is the one that has waited longest, whatever
its kind, so that the fleet has its share even of a worker that never rests.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from seawall.core.clock import Clock
from seawall.core.errors import SeawallError, UnavailableError
from seawall.jobs import dispatch, queue
from seawall.store import Database

CURSOR: Final = "workers"  # how far the workers, together, have read the log
IDLE_SECONDS: Final = 0.2
RENEW_SECONDS: Final = 15.0
OLDEST_EVERY: Final = 4

Task: TypeAlias = Callable[[queue.Job], None]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """`owner` must be unique among living workers, and stay the same in the next life."""

    database: Database
    clock: Clock
    owner: str
    tasks: Mapping[str, Task]
    rules: Mapping[str, dispatch.Rule]
    patient: frozenset[str] = frozenset()
    """The kinds of jobs that give way to all others."""
    _turns: Iterator[int] = field(default_factory=lambda: itertools.count(1), repr=False)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; a job that runs then is finished first."""
        with self.database.write() as connection:
            queue.release(connection, owner=self.owner, now=self.clock.now())
        while not stop.is_set():
            try:
                is_busy = self.step()
            except UnavailableError as error:
                _log.warning("the database does not answer, trying again: %s", error)
                is_busy = False
            if not is_busy:
                stop.wait(IDLE_SECONDS)

    def step(self) -> bool:
        """Do one round: new events, then one job. Returns whether there was anything to do."""
        has_dispatched = dispatch.dispatch(
            self.database, name=CURSOR, rules=self.rules, now=self.clock.now()
        )
        job = self._claim()
        if job is None:
            return has_dispatched
        self._do(job)
        return True

    def _claim(self) -> queue.Job | None:
        kinds, now = tuple(self.tasks), self.clock.now()
        with self.database.read() as connection:
            if not queue.is_any_due(connection, kinds=kinds, now=now):
                return None
        prompt = tuple(kind for kind in kinds if kind not in self.patient)
        is_turn_of_oldest = next(self._turns) % OLDEST_EVERY == 0
        with self.database.write() as connection:
            for choice in (kinds,) if is_turn_of_oldest else (prompt, kinds):
                job = queue.claim(connection, kinds=choice, owner=self.owner, now=now)
                if job is not None:
                    return job
        return None

    def _do(self, job: queue.Job) -> None:
        try:
            with self._renewing(job):
                self.tasks[job.kind](job)
        except Exception as error:  # the supervisor of jobs: whatever a job raises stays with it
            _log.exception("job %s %s failed (attempt %d)", job.kind, job.key, job.attempts)
            with self.database.write() as connection:
                queue.fail(
                    connection, job, owner=self.owner, error=_told(error), now=self.clock.now()
                )
        else:
            with self.database.write() as connection:
                queue.finish(connection, job, owner=self.owner)

    @contextmanager
    def _renewing(self, job: queue.Job) -> Iterator[None]:
        done = threading.Event()

        def renew() -> None:
            while not done.wait(RENEW_SECONDS):
                try:
                    with self.database.write_beside() as connection:
                        queue.renew(connection, job, owner=self.owner, now=self.clock.now())
                except UnavailableError as error:
                    _log.warning("the lease was not renewed, trying again: %s", error)

        thread = threading.Thread(target=renew, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _told(error: Exception) -> str:
    """Say what happened to a person who may not be one of the server's own: no paths."""
    if isinstance(error, SeawallError):
        return error.message
    what = error.strerror if isinstance(error, OSError) else None
    return what or f"{type(error).__name__}, see the log of the worker"
