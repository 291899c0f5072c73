"""Brings a database's schema to this version's, in one transaction.

Alembic is imported only when there is something to do: its import costs more than the rest of a
start. A database that a newer Seawall has written is refused rather than guessed at.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import sqlalchemy as sa

from seawall.core.errors import ConflictError
from seawall.store.database import Database

HEAD: Final = "0002"
"""The newest revision in `migrations/versions`; a test keeps it true."""

_DIRECTORY: Final = Path(__file__).parent / "migrations"


def migrate(database: Database) -> bool:
    """Upgrade the schema if it is old or absent. Returns whether there was anything to do.

    Raises ConflictError when the database comes from a newer Seawall.
    """
    revision = current(database)
    if revision == HEAD:
        return False
    if revision is not None and revision > HEAD:
        raise ConflictError(
            f"the database has schema {revision}, newer than this Seawall's {HEAD}",
            remedy="install the newer Seawall again, or restore a backup from before the upgrade",
        )
    from alembic import command
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(_DIRECTORY).replace("%", "%%"))
    with database.write() as connection:
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")
    return True


def require_current(database: Database) -> None:
    """Raises ConflictError unless the schema is this version's."""
    revision = current(database)
    if revision != HEAD:
        raise ConflictError(
            f"the database has schema {revision or 'none'}, this Seawall needs {HEAD}",
            remedy="start `seawall up` of this version once: it upgrades the database",
        )


def current(database: Database) -> str | None:
    """Return the revision of the schema; None for an empty database."""
    with database.read() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        row = connection.execute(sa.text("SELECT version_num FROM alembic_version")).first()
    return None if row is None else str(row[0])
