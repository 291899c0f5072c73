"""Manifests that were read since the database last changed, whoever changed it.

SQLite counts the commits of all other connections, in this process and in others
(`PRAGMA data_version`). Asking costs some microseconds and waits for nobody, so an entry is used
only after asking: a tag that was moved a moment ago, by whichever process, is never served as it
was. Elsewhere than on SQLite there is no such count, and nothing is kept.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import Final

from seawall.core.limits import KIB, MIB
from seawall.oci.names import RepositoryName
from seawall.registry.model import StoredManifest
from seawall.store import Database

TOTAL_MAX_BYTES: Final = 16 * MIB
ENTRY_MAX_BYTES: Final = 256 * KIB


class RecentManifests:
    """A cache that is right at every moment. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._lock = threading.Lock()
        self._held = contextlib.ExitStack()  # keeps the connection out of the pool
        self._counter = _counting_connection(database, self._held)
        self._version: int | None = None
        self._bytes = 0
        self._entries: dict[tuple[str, str], StoredManifest] = {}

    def version(self) -> int | None:
        """Return the count of changes so far; None where there is none."""
        with self._lock:
            return self._count()

    def get(self, repository: RepositoryName, target: str) -> StoredManifest | None:
        """Return what `target` names now, if it is at hand."""
        with self._lock:
            entry = self._entries.get((repository, target))
            # The order matters: the count is asked after the entry was found.
            return entry if entry is not None and self._version == self._count() else None

    def add(
        self, version: int | None, repository: RepositoryName, target: str, stored: StoredManifest
    ) -> None:
        """Keep what was read after `version` was asked."""
        if version is None or len(stored.content) > ENTRY_MAX_BYTES:
            return
        with self._lock:
            if version != self._version or self._bytes > TOTAL_MAX_BYTES:
                self._entries.clear()
                self._version, self._bytes = version, 0
            self._entries[repository, target] = stored
            self._bytes += len(stored.content) + KIB

    def _count(self) -> int | None:
        if self._counter is None:
            return None
        try:
            row = self._counter.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:  # busy or broken: whoever asks the database itself will hear of it
            return None
        count: int = row[0]
        return count


def _counting_connection(
    database: Database, held: contextlib.ExitStack
) -> sqlite3.Connection | None:
    """Return a connection that is ours alone, outside of any transaction, and never waits."""
    connection = held.enter_context(database.read())
    raw: object = connection.connection.dbapi_connection
    if not isinstance(raw, sqlite3.Connection):
        held.close()
        return None
    raw.execute("PRAGMA busy_timeout=0")
    return raw
