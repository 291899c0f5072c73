"""Tells whether anything that matters was committed since the last look.

Every change of state has its event in the log, in the same transaction. So when somebody committed,
the few entries since then tell whether what is kept in memory may have changed. What is harmless is
listed by the caller; every other event matters, also one that nobody thought of. Only who keeps
entries of the log itself lists those that matter: an entry is never changed, newer ones follow it.
"""

from __future__ import annotations

import threading

import sqlalchemy as sa

from seawall.audit import _sql
from seawall.store.database import Database
from seawall.store.watching import Watch


class EventWatch:
    """Stands where a `Watch` stands, and ignores commits of harmless events. Thread-safe.

    Use it for what changes with an event only.
    """

    def __init__(
        self,
        database: Database,
        harmless: frozenset[str] = frozenset(),
        *,
        only: frozenset[str] | None = None,
    ) -> None:
        """`harmless` are the kinds to ignore; or all but `only` are ignored."""
        self.database = database
        self._watch = Watch(database)
        self._harmless = harmless
        self._only = only
        self._seen: int | None = None
        self._head = 0
        self._number = 0
        self._lock = threading.Lock()

    def number(self) -> int | None:
        """Return a number that changes with every event that matters; None: nobody can tell.

        As with `Watch`: look at it before reading what is kept.
        """
        with self._lock:
            # Before the entries are read: a commit between the two is looked at twice.
            seen = self._watch.number()
            if seen is None:
                return None
            if seen != self._seen:
                self._read_on()
                self._seen = seen
            return self._number

    def _read_on(self) -> None:
        entries = _sql.entries.c
        since = entries.seq > self._head
        with self.database.read() as connection:
            head = connection.execute(sa.select(sa.func.max(entries.seq)).where(since)).scalar()
            if head is None:
                return
            kinds = (
                ()
                if self._seen is None
                else connection.execute(sa.select(entries.kind).where(since).distinct()).scalars()
            )
            if self._seen is None or any(map(self._matters, kinds)):
                self._number += 1
        self._head = head

    def _matters(self, kind: str) -> bool:
        return kind not in self._harmless if self._only is None else kind in self._only
