"""Opens the installation's database, without the rooms: commands that need little start fast."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from seawall.config import Settings
from seawall.core.errors import NotFoundError, UnavailableError
from seawall.store import Database, address, migrate

TABLES: Final = ("audit", "fleet", "identity", "jobs", "registry", "scan", "trust")
"""The packages that have tables, in their `_sql.py`."""


def import_tables() -> None:
    """Declare the tables of all rooms."""
    for room in TABLES:
        importlib.import_module(f"seawall.{room}._sql")


def open_database(settings: Settings) -> Database:
    """Open the database that the settings name, whatever is in it.

    Raises InvalidInputError, and UnavailableError when the password's file or the driver is absent.
    """
    options = settings.options.database
    if not options.url:
        return Database.open_file(settings.database)
    named = options.password_file
    where = address.parse(
        options.url,
        password=address.read_password(Path(named)) if named else None,
        connections=options.connections,
        unsafe_transport=options.unsafe_transport,
    )
    return Database.open_server(where)


@contextlib.contextmanager
def opened_database(settings: Settings) -> Iterator[Database]:
    """Open the database of an existing installation, for one command.

    Raises NotFoundError when there is none, UnavailableError when it is not ours to read.
    """
    import_tables()
    try:
        is_there = _database_or_sign(settings).exists()
    except PermissionError as error:
        raise UnavailableError(
            f"{settings.state} may be read by its owner alone", remedy="run as its owner"
        ) from error
    if not is_there:
        raise NotFoundError(
            f"there is no installation in {settings.state}",
            remedy="start one with `seawall up`, or name its directory with --state",
        )
    database = open_database(settings)
    try:
        migrate.require_current(database)
        yield database
    finally:
        database.close()


def _database_or_sign(settings: Settings) -> Path:
    """What is there once `seawall up` has run."""
    return settings.keys if settings.options.database.url else settings.database
