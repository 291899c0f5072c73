"""One database, two kinds of access: `read` and `write`.

SQLite in WAL mode by default. A write takes the write lock at its beginning (`BEGIN IMMEDIATE`),
so a transaction never fails half-way with "database is locked", and the audit chain needs no lock
of its own. `synchronous=FULL`: what was answered with success survives a power cut.

Every room declares its tables on `tables`, in its own `_sql.py`, and nobody else imports them. The
schema itself is made by the migrations in `seawall.store.migrations`; a test holds the two equal.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from seawall.core.errors import UnavailableError

BUSY_TIMEOUT_MS: Final = 15_000
CACHE_KIB: Final = 16 * 1024
POOL_CONNECTIONS: Final = 16

tables: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""All tables of all rooms."""


class Database:
    """A pool of connections to one database. Thread-safe; open one per process."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    @classmethod
    def open_file(cls, path: Path) -> Database:
        """Open (and create, readable by its owner alone) the SQLite database at `path`."""
        path.touch(mode=0o600, exist_ok=True)
        engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)),
            poolclass=sa.QueuePool,
            pool_size=POOL_CONNECTIONS,
            max_overflow=POOL_CONNECTIONS,
            connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000},
        )
        _prepare_sqlite(engine)
        return cls(engine)

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Give a connection on one consistent snapshot; whatever it writes is thrown away."""
        with _foreign_errors(), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Give a connection inside a write transaction: committed at the end, undone on error."""
        with (
            _foreign_errors(),
            self._engine.connect().execution_options(seawall_write=True) as connection,
            connection.begin(),
        ):
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @property
    def engine(self) -> sa.Engine:
        """The engine itself: for migrations only."""
        return self._engine


@contextlib.contextmanager
def _foreign_errors() -> Iterator[None]:
    try:
        yield
    except sa.exc.OperationalError as error:
        # The driver's text names no path; SQL and parameters stay out of the message.
        raise UnavailableError(
            f"the database does not answer: {error.orig}",
            remedy="look at free space and rights of the state directory, then try again",
        ) from error
    except sa.exc.DatabaseError as error:
        if not _is_damage(error.orig):
            raise  # a broken promise of our own statements
        raise UnavailableError(
            f"the database is damaged: {error.orig}",
            remedy="stop Seawall, keep a copy of the file, and restore a backup",
        ) from error


def _is_damage(error: BaseException | None) -> bool:
    """Tell a file that is no (or no whole) SQLite database."""
    return type(error) is sqlite3.DatabaseError


def _prepare_sqlite(engine: sa.Engine) -> None:
    @sa.event.listens_for(engine, "connect")
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

    @sa.event.listens_for(engine, "begin")
    def _on_begin(connection: sa.Connection) -> None:
        is_write = connection.get_execution_options().get("seawall_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


def row_count(result: sa.CursorResult[Any]) -> int:
    """Return how many rows a statement changed."""
    return result.rowcount
