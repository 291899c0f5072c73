"""A fresh database with the tables of every room: SQLite in a folder, or one of a private server.

`POSTGRESQL` stands for whatever a test session needs of PostgreSQL: the server is started when the
first test asks for it, the template is made once, by the true migrations, and a database that a
test has left is emptied for the next one, because that is cheaper than a copy.
"""

from __future__ import annotations

import contextlib
import functools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import REGCLASS

from seawall.store import Database, address, migrate, tables
from seawall.testing import postgresql

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"
KINDS: Final = (SQLITE, POSTGRESQL)


def fresh_database(directory: Path) -> Database:
    """Return an empty database in `directory`, its schema made from the rooms' own tables."""
    database = Database.open_file(directory / "test.sqlite")
    with database.write() as connection:
        tables.create_all(connection)
    return database


class Servers:
    """The one private server of a test session; nothing runs until it is asked for."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._left: list[tuple[str, Database]] = []

    @functools.cached_property
    def server(self) -> postgresql.Server:
        """The running server."""
        return self._stack.enter_context(postgresql.server())

    @functools.cached_property
    def template(self) -> str:
        """The name of a database that holds the migrated schema and nothing else."""
        from seawall.app import databases

        databases.import_tables()
        name = self.server.create()
        database = Database.open_server(self.server.address(name))
        migrate.migrate(database)
        database.close()
        return name

    @contextlib.contextmanager
    def fresh(self) -> Iterator[str]:
        """Give the name of a database with the schema; it is dropped afterwards."""
        name = self.server.create(self.template)
        try:
            yield name
        finally:
            self.server.drop(name)

    @contextlib.contextmanager
    def opened(self) -> Iterator[Database]:
        """Give such a database, open; later tests may get it again."""
        name, database = self._left.pop() if self._left else self._new()
        try:
            yield database
        finally:
            if is_emptied(database):
                self._left.append((name, database))
            else:
                database.close()
                self.server.drop(name)

    def close(self) -> None:
        """Stop what was started."""
        for _, database in self._left:
            database.close()
        self._stack.close()

    def _new(self) -> tuple[str, Database]:
        name = self.server.create(self.template)
        return name, Database.open_server(self.server.address(name))


def place_of(database: Database) -> str:
    """Return what `open_place` opens the same database by, in another process."""
    if not database.is_shared:
        return str(database.engine.url.database)
    with database.read() as connection:
        asked = (
            "SELECT current_database(), current_setting('unix_socket_directories'), current_user"
        )
        name, folder, user = connection.exec_driver_sql(asked).one()
    return f"postgresql://{user}@/{name}?host={folder}"


def open_place(place: str) -> Database:
    """Open the database at a `place_of`."""
    if place.startswith("/"):
        return Database.open_file(Path(place))
    return Database.open_server(address.parse(place))


def is_emptied(database: Database) -> bool:
    """Delete every row; False when the schema is not the rooms' any more."""
    with database.write() as connection:
        names = set(sa.inspect(connection).get_table_names())
        if names != {*tables.tables, "alembic_version"}:
            return False
        # The log's own protection is asleep for this one transaction.
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for table in tables.tables.values():
            connection.execute(sa.delete(table))
        # Tests that rely on the same numbers are not to pass by chance.
        start = random.randint(1, 1_000_000)  # noqa: S311
        name = sa.column("sequencename", sa.Text)
        renumber = sa.func.setval(sa.cast(name, REGCLASS), start)
        connection.execute(sa.select(renumber).select_from(sa.table("pg_sequences", name)))
    return True
