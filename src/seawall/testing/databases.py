"""A fresh database with the tables of every room that was imported."""

from __future__ import annotations

from pathlib import Path

from seawall.store import Database, tables


def fresh_database(directory: Path) -> Database:
    """Return an empty database in `directory`, its schema made from the rooms' own tables."""
    database = Database.open_file(directory / "test.sqlite")
    with database.write() as connection:
        tables.create_all(connection)
    return database
