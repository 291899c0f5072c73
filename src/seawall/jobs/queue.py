"""The queue: at least once, with leases.

A worker claims a job for a limited time and renews the lease while it works. When it dies, the
lease runs out (or the same worker's next life gives it back at its start) and the job is claimed
again. So every job must be safe to run twice.

States: queued → running → (gone when done) | queued again with back-off | failed, until the next
start tries again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from seawall.core import clock
from seawall.jobs import _sql

MAX_ATTEMPTS: Final = 5
FIRST_BACKOFF: Final = dt.timedelta(seconds=5)
LEASE: Final = dt.timedelta(seconds=60)
ERROR_MAX_CHARACTERS: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """Work to be done. Jobs of one kind and key that wait are one job."""

    kind: str
    key: str
    payload: bytes = b"{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work that a worker holds the lease of."""

    id: int
    kind: str
    key: str
    payload: bytes
    attempts: int  # this one included


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much work there is."""

    queued: int
    running: int
    failed: int


def enqueue(
    connection: sa.Connection, job: NewJob, *, now: dt.datetime, due: dt.datetime | None = None
) -> None:
    """Add `job`, to be done from `due` on, or at once. Runs in the caller's write transaction.

    When the same waits already, it stays as it is, or becomes due earlier.
    """
    c = _sql.jobs.c
    run_at = clock.to_text(due or now)
    waits = connection.execute(
        sa.select(c.id, c.run_at).where(c.kind == job.kind, c.key == job.key, c.state == "queued")
    ).first()
    if waits is not None:
        if run_at < waits.run_at:
            connection.execute(sa.update(_sql.jobs).where(c.id == waits.id).values(run_at=run_at))
        return
    connection.execute(
        sa.insert(_sql.jobs).values(
            kind=job.kind,
            key=job.key,
            payload=job.payload,
            state="queued",
            attempts=0,
            run_at=run_at,
            created_at=clock.to_text(now),
        )
    )


def claim(
    connection: sa.Connection, *, kinds: Sequence[str], owner: str, now: dt.datetime
) -> Job | None:
    """Take the oldest job that is due, or one whose lease ran out.

    A job whose worker died in its last attempt (it may be what kills the worker) has failed.
    """
    c = _sql.jobs.c
    connection.execute(
        sa.update(_sql.jobs)
        .where(_is_orphaned(now), c.attempts >= MAX_ATTEMPTS)
        .values(state="failed", error="the worker died in every attempt", lease_owner=None)
    )
    row = connection.execute(
        sa.select(c.id, c.kind, c.key, c.payload, c.attempts)
        .where(c.kind.in_(kinds), _is_due(now))
        .order_by(c.run_at, c.id)
        .limit(1)
    ).first()
    if row is None:
        return None
    connection.execute(
        sa.update(_sql.jobs)
        .where(c.id == row.id)
        .values(
            state="running",
            attempts=row.attempts + 1,
            lease_owner=owner,
            lease_until=clock.to_text(now + LEASE),
        )
    )
    return Job(
        id=row.id, kind=row.kind, key=row.key, payload=row.payload, attempts=row.attempts + 1
    )


def is_any_due(connection: sa.Connection, *, kinds: Sequence[str], now: dt.datetime) -> bool:
    """Tell whether `claim` would find something: a read, so that idle workers write nothing."""
    c = _sql.jobs.c
    query = sa.select(c.id).where(c.kind.in_(kinds), _is_due(now)).limit(1)
    return connection.execute(query).first() is not None


def renew(connection: sa.Connection, job: Job, *, owner: str, now: dt.datetime) -> bool:
    """Prolong the lease; False when somebody else holds it by now."""
    c = _sql.jobs.c
    done = connection.execute(
        sa.update(_sql.jobs)
        .where(c.id == job.id, c.lease_owner == owner, c.state == "running")
        .values(lease_until=clock.to_text(now + LEASE))
    )
    return done.rowcount == 1


def finish(connection: sa.Connection, job: Job, *, owner: str) -> None:
    """Drop the job: its effects are recorded as events. Older failures of the same are over."""
    c = _sql.jobs.c
    done = connection.execute(sa.delete(_sql.jobs).where(c.id == job.id, c.lease_owner == owner))
    if done.rowcount:
        same = sa.and_(c.kind == job.kind, c.key == job.key)
        connection.execute(sa.delete(_sql.jobs).where(same, c.state == "failed"))


def fail(connection: sa.Connection, job: Job, *, owner: str, error: str, now: dt.datetime) -> bool:
    """Queue the job again with back-off, or give up. Returns whether it was given up."""
    c = _sql.jobs.c
    gives_up = job.attempts >= MAX_ATTEMPTS
    twin = _queued_twin(connection, job.kind, job.key)
    mine = sa.and_(c.id == job.id, c.lease_owner == owner)
    if twin is not None:
        connection.execute(sa.delete(_sql.jobs).where(mine))
        connection.execute(
            sa.update(_sql.jobs).where(c.id == twin).values(error=error[:ERROR_MAX_CHARACTERS])
        )
        return False
    connection.execute(
        sa.update(_sql.jobs)
        .where(mine)
        .values(
            state="failed" if gives_up else "queued",
            run_at=clock.to_text(now + FIRST_BACKOFF * 2 ** (job.attempts - 1)),
            error=error[:ERROR_MAX_CHARACTERS],
            lease_owner=None,
            lease_until=None,
        )
    )
    return gives_up


def release(connection: sa.Connection, *, owner: str, now: dt.datetime) -> int:
    """Give back what an earlier life of `owner` left running. Returns how many."""
    c = _sql.jobs.c
    done = connection.execute(
        sa.update(_sql.jobs)
        .where(c.state == "running", c.lease_owner == owner)
        .values(lease_until=clock.to_text(now - dt.timedelta(microseconds=1)))
    )
    return done.rowcount


def retry_failed(connection: sa.Connection, *, now: dt.datetime) -> int:
    """Queue again what was given up, with all its attempts. Returns how many.

    For when a person starts Seawall anew: deaths that came from outside are no reason to leave
    work undone for ever, and a job that is itself the cause is given up again.
    """
    c = _sql.jobs.c
    query = sa.select(c.id, c.kind, c.key).where(c.state == "failed").order_by(c.id.desc())
    failed = connection.execute(query).all()
    for row in failed:
        is_this = c.id == row.id
        if _queued_twin(connection, row.kind, row.key) is None:
            again = {"state": "queued", "attempts": 0, "run_at": clock.to_text(now)}
            connection.execute(sa.update(_sql.jobs).where(is_this).values(again))
        else:
            connection.execute(sa.delete(_sql.jobs).where(is_this))
    return len(failed)


def counts(connection: sa.Connection, *, now: dt.datetime) -> Counts:
    """Count the jobs by state. What was queued for later is no work yet."""
    c = _sql.jobs.c
    is_for_later = sa.and_(c.state == "queued", c.attempts == 0, c.run_at > clock.to_text(now))
    rows = connection.execute(
        sa.select(c.state, sa.func.count()).where(sa.not_(is_for_later)).group_by(c.state)
    )
    by_state: dict[str, int] = {row[0]: row[1] for row in rows}
    return Counts(
        queued=by_state.get("queued", 0),
        running=by_state.get("running", 0),
        failed=by_state.get("failed", 0),
    )


def is_waiting(connection: sa.Connection, *, kind: str, key: str) -> bool:
    """Tell whether such a job is queued or runs."""
    c = _sql.jobs.c
    return (
        connection.execute(
            sa.select(c.id).where(c.kind == kind, c.key == key, c.state.in_(("queued", "running")))
        ).first()
        is not None
    )


def last_error(connection: sa.Connection, *, kind: str, key: str) -> str | None:
    """Return why the last try of such a job failed; None when none did or a later one succeeded."""
    c = _sql.jobs.c
    query = sa.select(c.error).where(c.kind == kind, c.key == key, c.error.is_not(None))
    error = connection.execute(query.order_by(c.id.desc()).limit(1)).scalar()
    return None if error is None else str(error)


def _queued_twin(connection: sa.Connection, kind: str, key: str) -> int | None:
    """Return the id of the job of this kind and key that waits."""
    c = _sql.jobs.c
    query = sa.select(c.id).where(c.kind == kind, c.key == key, c.state == "queued")
    return connection.execute(query).scalar()


def _is_due(now: dt.datetime) -> sa.ColumnElement[bool]:
    c = _sql.jobs.c
    moment = clock.to_text(now)
    return sa.or_(sa.and_(c.state == "queued", c.run_at <= moment), _is_orphaned(now))


def _is_orphaned(now: dt.datetime) -> sa.ColumnElement[bool]:
    c = _sql.jobs.c
    return sa.and_(c.state == "running", c.lease_until < clock.to_text(now))
