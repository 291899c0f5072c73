"""Tells cheaply, and without waiting, whether anything at all was committed to a database.

Whoever keeps something from the database in memory asks here before using it. SQLite counts the
commits of other connections, in whatever process (`PRAGMA data_version`); a server keeps no such
count that could be asked without waiting, so there is no answer and the database must be asked.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar
from urllib.parse import quote

from seawall.store.database import Database

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


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


class Numbering(Protocol):
    """What a `Watch` does, and others that look more closely (`audit.watching`)."""

    def number(self) -> int | None:
        """Return a number that changes with every commit that may matter; None: unknown."""
        ...


class WhileUnchanged(Generic[K, V]):
    """Keeps what was read, for as long as nothing at all is committed. Bounded and thread-safe.

    On a database that is written to all the time nothing is gained, and nothing is wrong.
    """

    def __init__(self, watch: Numbering, *, max_weight: int) -> None:
        self._watch = watch
        self._max_weight = max_weight
        self._entries: OrderedDict[K, tuple[int, V, int]] = OrderedDict()
        self._weight = 0
        self._lock = threading.Lock()

    def get(self, key: K, find: Callable[[], V], *, weigh: Callable[[V], int]) -> V:
        """Return what `find` returned under the same number, else what it returns now."""
        number = self._watch.number()
        if number is None:
            return find()
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and entry[0] == number:
                self._entries.move_to_end(key)
                return entry[1]
        value = find()
        self._keep(key, number, value, weigh(value))
        return value

    def _keep(self, key: K, number: int, value: V, weight: int) -> None:
        with self._lock:
            former = self._entries.pop(key, None)
            self._weight += weight - (former[2] if former else 0)
            self._entries[key] = (number, value, weight)
            while self._weight > self._max_weight:
                _, (_, _, forgotten) = self._entries.popitem(last=False)
                self._weight -= forgotten


def _opened(path: str) -> sqlite3.Connection:
    # never writes, so that every commit is one of others
    return sqlite3.connect(
        f"file:{quote(path)}?mode=ro",
        uri=True,
        timeout=0,
        isolation_level=None,
        check_same_thread=False,
    )
