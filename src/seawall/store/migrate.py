"""Brings a database's schema to this version's, in one transaction.

Alembic is imported only when there is something to do: its import costs more than the rest of a
start. A database that a newer Seawall has written is refused rather than guessed at, and so is one
on a server that does not sort texts by their bytes, as SQLite does and the rooms rely on: moments,
digests and names in listings would come in another order.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import sqlalchemy as sa

from seawall.core.errors import ConflictError
from seawall.store.database import Database

HEAD: Final = "0007"
"""The newest revision in `migrations/versions`; a test keeps it true."""

_DIRECTORY: Final = Path(__file__).parent / "migrations"

_HOW_IT_SORTS: Final = """
    SELECT current_setting('server_encoding') AS encoding,
           'a' > 'B' AND 'a-b' < 'aa' AND 'z' < '~' AND '10' < '9' AS is_by_bytes
"""


def migrate(database: Database) -> bool:
    """Upgrade the schema if it is old or absent. Returns whether there was anything to do.

    Of several that start at once, one does it while the others wait. Raises ConflictError when the
    database comes from a newer Seawall, or cannot become one of ours.
    """
    revision = current(database)
    if revision == HEAD:
        return False
    if revision is not None and revision > HEAD:
        raise ConflictError(
            f"the database has schema {revision}, newer than this Seawall's {HEAD}",
            remedy="install the newer Seawall again, or restore a backup from before the upgrade",
        )
    with database.write() as connection:
        upgrade(connection)
    return True


def upgrade(connection: sa.Connection) -> None:
    """Bring the schema to HEAD inside the caller's write transaction."""
    from alembic import command
    from alembic.config import Config

    _prepare(connection)
    settings = Config()
    settings.set_main_option("script_location", str(_DIRECTORY).replace("%", "%%"))
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")


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


def _prepare(connection: sa.Connection) -> None:
    if connection.dialect.name != "postgresql":
        return
    row = connection.execute(sa.text(_HOW_IT_SORTS)).one()
    if not row.is_by_bytes or row.encoding != "UTF8":
        raise ConflictError(
            f"the database has the encoding {row.encoding} and "
            f"{'sorts by bytes' if row.is_by_bytes else 'does not sort texts by their bytes'}",
            remedy="make another one: CREATE DATABASE seawall OWNER seawall TEMPLATE template0 "
            "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'",
        )
    # Large tables may take long to change; that is no reason to give up half-way.
    connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
