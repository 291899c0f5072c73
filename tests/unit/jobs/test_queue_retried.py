"""What was given up is tried again by the next start; a lease outlasts a busy database."""

from __future__ import annotations

import datetime as dt
import threading

import pytest

from seawall.core.errors import UnavailableError
from seawall.jobs import queue, worker
from seawall.store import Database
from seawall.testing.clocks import FakeClock

JOB = queue.NewJob(kind="scan", key="sha256:1", payload=b'{"n":1}')


def die_until_given_up(database: Database, clock: FakeClock) -> None:
    """Claim the job and die, as often as the queue allows."""
    with database.write() as connection:
        queue.enqueue(connection, JOB, now=clock.now())
    for _ in range(queue.MAX_ATTEMPTS + 1):
        with database.write() as connection:
            queue.claim(connection, kinds=["scan"], owner="w", now=clock.now())
        clock.advance(queue.LEASE + dt.timedelta(seconds=1))


def counts(database: Database, clock: FakeClock) -> queue.Counts:
    with database.read() as connection:
        return queue.counts(connection, now=clock.now())


def retry(database: Database, clock: FakeClock) -> int:
    with database.write() as connection:
        return queue.retry_failed(connection, now=clock.now())


def test_what_was_given_up_has_all_its_attempts_again(database: Database, clock: FakeClock) -> None:
    die_until_given_up(database, clock)
    assert queue.Counts(queued=0, running=0, failed=1) == counts(database, clock)
    assert 1 == retry(database, clock)
    with database.write() as connection:
        job = queue.claim(connection, kinds=["scan"], owner="w", now=clock.now())
    assert job is not None
    assert (JOB.payload, 1) == (job.payload, job.attempts)


def test_what_was_given_up_twice_and_waits_already_is_one_job(
    database: Database, clock: FakeClock
) -> None:
    die_until_given_up(database, clock)
    die_until_given_up(database, clock)
    with database.write() as connection:
        queue.enqueue(connection, JOB, now=clock.now())
    assert 2 == retry(database, clock)
    assert queue.Counts(queued=1, running=0, failed=0) == counts(database, clock)
    assert 0 == retry(database, clock)


def test_a_lease_is_renewed_after_the_database_did_not_answer(
    database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = threading.Semaphore(0)
    answers = iter([UnavailableError("locked"), UnavailableError("locked")])

    def renew(*_: object, **__: object) -> bool:
        tries.release()
        for error in answers:
            raise error
        return True

    def task(_job: queue.Job) -> None:
        assert all(tries.acquire(timeout=10) for _ in range(3))

    monkeypatch.setattr(worker, "RENEW_SECONDS", 0.01)
    monkeypatch.setattr(queue, "renew", renew)
    with database.write() as connection:
        queue.enqueue(connection, JOB, now=clock.now())
    one = worker.Worker(database=database, clock=clock, owner="w", tasks={"scan": task}, rules={})
    assert one.step()
    assert queue.Counts(queued=0, running=0, failed=0) == counts(database, clock)
