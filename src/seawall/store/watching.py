"""Tells cheaply, and without waiting, whether anything at all was committed to a database.

Whoever keeps something from the database in memory asks here before using it. SQLite counts the
commits of other connections, in whatever process (`PRAGMA data_version`); a server keeps no such
count that could be asked without waiting, so there is no answer and the database must be asked.
"""

from __future__ import annotations

import sqlite3
import threading
from urllib.parse import quote

from seawall.store.database import Database


class Watch:
    """One watch on one database. Thread-safe."""

    def __init__(self, database: Database) -> None:
        url = database.engine.url
        is_file = database.engine.dialect.name == "sqlite" and url.database
        self._path = str(url.database) if is_file else None
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def number(self) -> int | None:
        """Return a number that changes with every commit; None when nobody can tell.

        Look at it before reading what is kept: then an equal number later means unchanged.
        """
        if self._path is None:
            return None
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = _opened(self._path)
                (number,) = self._connection.execute("PRAGMA data_version").fetchone()
            except sqlite3.Error:
                return None
        return int(number)


def _opened(path: str) -> sqlite3.Connection:
    # never writes, so that every commit is one of others
    return sqlite3.connect(
        f"file:{quote(path)}?mode=ro",
        uri=True,
        timeout=0,
        isolation_level=None,
        check_same_thread=False,
    )
