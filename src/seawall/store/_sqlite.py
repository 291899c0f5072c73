"""SQLite: WAL, full durability, and a write lock that is taken at the beginning of a write."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from seawall.core.errors import SeawallError, UnavailableError
from seawall.store._access import Access, access_of

BUSY_TIMEOUT_MS: Final = 15_000
CACHE_KIB: Final = 16 * 1024
POOL_CONNECTIONS: Final = 16


def engine_of(path: Path) -> sa.Engine:
    """Return the engine of the file at `path`, which is created for its owner alone."""
    path.touch(mode=0o600, exist_ok=True)
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        poolclass=sa.QueuePool,
        pool_size=POOL_CONNECTIONS,
        max_overflow=POOL_CONNECTIONS,
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000},
    )
    sa.event.listen(engine, "connect", _on_connect)
    sa.event.listen(engine, "begin", _on_begin)
    return engine


def explain(error: sa.exc.DBAPIError) -> SeawallError | None:
    """Return what a person should be told; None for a broken promise of our own statements."""
    if isinstance(error, sa.exc.OperationalError):
        # The driver's text names no path; SQL and parameters stay out of the message.
        return UnavailableError(
            f"the database does not answer: {error.orig}",
            remedy="look at free space and rights of the state directory, then try again",
        )
    if type(error.orig) is sqlite3.DatabaseError:  # a file that is no, or no whole, database
        return UnavailableError(
            f"the database is damaged: {error.orig}",
            remedy="stop Seawall, keep a copy of the file, and restore a backup",
        )
    return None


def _on_connect(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    # The driver must not begin transactions by itself: `_on_begin` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        f"cache_size=-{CACHE_KIB}",
        "temp_store=MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_begin(connection: sa.Connection) -> None:
    is_read = access_of(connection) is Access.READ
    connection.exec_driver_sql("BEGIN" if is_read else "BEGIN IMMEDIATE")
