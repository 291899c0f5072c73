"""From events to jobs: reads the audit log behind a cursor.

The cursor and the jobs move in one transaction, so no event is missed and none makes two jobs,
whenever the process dies. There is no second outbox beside the log.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import sqlalchemy as sa

from seawall import audit
from seawall.jobs import _sql, queue
from seawall.store import Database

BATCH: Final = 200

Rule: TypeAlias = Callable[[audit.Entry], Sequence[queue.NewJob]]
"""What is to be done about one event."""


def joined(*tables: Mapping[str, Rule]) -> dict[str, Rule]:
    """Return one table of rules: an event that stands in several gives the jobs of all."""
    kinds = {kind for table in tables for kind in table}
    return {kind: _all([table[kind] for table in tables if kind in table]) for kind in kinds}


def dispatch(database: Database, *, name: str, rules: Mapping[str, Rule], now: dt.datetime) -> bool:
    """Turn the next batch of events into jobs. Returns whether there was anything to read."""
    with database.read() as connection:
        after = cursor(connection, name)
        if audit.head(connection).seq == after:
            return False
    with database.write() as connection:
        after = cursor(connection, name)
        entries = audit.read(connection, after=after, limit=BATCH)
        if not entries:
            return False
        for entry in entries:
            if (rule := rules.get(entry.kind)) is not None:
                for job in rule(entry):
                    queue.enqueue(connection, job, now=now)
        move_cursor(connection, name, entries[-1].seq)
    return True


def cursor(connection: sa.Connection, name: str) -> int:
    """Return the number of the last event that `name` has turned into jobs; 0 for none."""
    c = _sql.cursors.c
    seq = connection.execute(sa.select(c.seq).where(c.name == name)).scalar()
    return int(seq or 0)


def move_cursor(connection: sa.Connection, name: str, seq: int) -> None:
    """Note that `name` has read the log up to `seq`, in the transaction of what it made of it."""
    c = _sql.cursors.c
    moved = connection.execute(sa.update(_sql.cursors).where(c.name == name).values(seq=seq))
    if moved.rowcount == 0:
        connection.execute(sa.insert(_sql.cursors).values(name=name, seq=seq))


def _all(rules: Sequence[Rule]) -> Rule:
    return lambda entry: [job for rule in rules for job in rule(entry)]
