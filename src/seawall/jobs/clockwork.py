"""Periodic work, as durable as any other: each duty is one job of the queue that is due later.

A duty queues its next run when a run begins. So there is one run per period, however many workers
there are; a restart neither forgets a run nor adds one; and runs that were missed while nothing
ran are made up for by one. A run that fails is tried again in the next period.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from seawall.core.clock import Clock
from seawall.jobs import queue
from seawall.jobs.worker import Task
from seawall.store import Database

KEY: Final = "periodic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """What is to be done once per period. `name` is its kind of job, and must be unique."""

    name: str
    every: dt.timedelta
    do: Callable[[], None]
    """Safe to run twice: a worker may die between the work and its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clockwork:
    """The duties of an installation. Every worker starts it; the queue tells them apart."""

    database: Database
    clock: Clock
    duties: Sequence[Duty]

    def start(self) -> None:
        """See that every duty is due within its period, whatever the clock was before."""
        for duty in self.duties:
            self._queue_next(duty)

    def tasks(self) -> dict[str, Task]:
        """Return the tasks by the kind of job."""
        return {duty.name: self._task(duty) for duty in self.duties}

    def _task(self, duty: Duty) -> Task:
        def run(_job: queue.Job) -> None:
            self._queue_next(duty)
            duty.do()

        return run

    def _queue_next(self, duty: Duty) -> None:
        now = self.clock.now()
        job = queue.NewJob(kind=duty.name, key=KEY)
        with self.database.write() as connection:
            queue.enqueue(connection, job, now=now, due=now + duty.every)
