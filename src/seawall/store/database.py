"""One database, three kinds of transactions: `read`, `write` and, rarely, `write_beside`.

Every room relies on this and on nothing more, so the same code runs on SQLite (the default: one
file, one machine) and on PostgreSQL (several machines):

- A read sees one snapshot, and can change nothing.
- There is one write at a time, in whatever process and on whatever machine: what it has looked at
  stays so until its end. It waits for its turn at its beginning, never in the middle, so writes
  neither deadlock nor fail half-way, and the audit chain needs no lock of its own.
- What was answered with success survives a power cut.
- An outage, a time-out or a lock that is held for too long is an UnavailableError with a remedy.

Every room declares its tables on `tables`, in its own `_sql.py`, and nobody else imports them. The
schema itself is made by the migrations in `seawall.store.migrations`; a test holds the two equal.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from seawall.core.errors import SeawallError, UnavailableError
from seawall.store import _postgresql, _sqlite
from seawall.store._access import OPTION, Access, access_of
from seawall.store.address import Address

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

Explain: TypeAlias = Callable[[sa.exc.DBAPIError], SeawallError | None]


class Database:
    """A pool of connections to one database. Thread-safe; open one per process."""

    def __init__(self, engine: sa.Engine, explain: Explain) -> None:
        self._engine = engine
        self._explain = explain

    @classmethod
    def open_file(cls, path: Path) -> Database:
        """Open (and create, readable by its owner alone) the SQLite database at `path`."""
        return cls(_sqlite.engine_of(path), _sqlite.explain)

    @classmethod
    def open_server(cls, address: Address) -> Database:
        """Open the PostgreSQL database at `address`; connections are made when needed.

        Raises UnavailableError when the driver is not installed.
        """
        return cls(_postgresql.engine_of(address), _postgresql.explain)

    @property
    def is_shared(self) -> bool:
        """Whether other machines can use it too: it lies on a server, not in a file."""
        return self._engine.dialect.name == "postgresql"

    def server(self) -> str:
        """Say which server this is, and whether the way to it is encrypted."""
        with self.read() as connection:
            version, way = connection.exec_driver_sql(_postgresql.ABOUT).one()
        return f"PostgreSQL {version}, {way}"

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Give a connection on one consistent snapshot; it can change nothing."""
        with self._foreign_errors(), self._engine.connect() as connection:
            yield connection

    def write(self) -> contextlib.AbstractContextManager[sa.Connection]:
        """Give a connection inside a write transaction: committed at the end, undone on error."""
        return self._writing(Access.WRITE)

    def write_beside(self) -> contextlib.AbstractContextManager[sa.Connection]:
        """Like `write`, but others may write at the same time where the database can do that.

        For frequent changes that decide nothing: rows of one owner are touched or taken away, or
        rows are added unless they are there. Not for events, nor for anything that `write` looks
        at before it takes something away; nor may it insert what a twin may insert too, except by
        `insert_missing`, or touch rows of several kinds in another order than others do.
        """
        return self._writing(Access.BESIDE)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @property
    def engine(self) -> sa.Engine:
        """The engine itself: for migrations only."""
        return self._engine

    @contextlib.contextmanager
    def _writing(self, access: Access) -> Iterator[sa.Connection]:
        with (
            self._foreign_errors(),
            self._engine.connect().execution_options(**{OPTION: access}) as connection,
            connection.begin(),
        ):
            yield connection

    @contextlib.contextmanager
    def _foreign_errors(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.TimeoutError as error:
            raise UnavailableError(
                "all connections to the database are in use", remedy="try again"
            ) from error
        except sa.exc.DBAPIError as error:
            explained = self._explain(error)
            if explained is None:
                raise  # a broken promise of our own statements
            raise explained from error


def require_one_writer(connection: sa.Connection) -> None:
    """Raises RuntimeError in a transaction that others may write beside."""
    if access_of(connection) is Access.BESIDE:
        raise RuntimeError("this needs Database.write: others write at the same time here")


def insert_missing(
    connection: sa.Connection, table: sa.Table, values: Mapping[str, object]
) -> None:
    """Insert a row unless there is one with its key; waits for a twin that is being inserted."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # a tenth of the start of a command without it

        connection.execute(postgresql.insert(table).values(values).on_conflict_do_nothing())
    else:
        connection.execute(sqlite.insert(table).values(values).on_conflict_do_nothing())
