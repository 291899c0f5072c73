"""Tables that nothing may change or take away from: triggers, which hold our own mistakes too.

Whoever owns the database can remove them; what was tampered with then is what the chain shows.
"""

from __future__ import annotations

import sqlalchemy as sa

VERBS = ("UPDATE", "DELETE")


def protect(connection: sa.Connection, table: str, name: str) -> None:
    """Refuse every change of rows of `table`, which people call `name`."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            f"CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{name} is append-only'; END $$"
        )
        connection.exec_driver_sql(
            f"CREATE TRIGGER {table}_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()"
        )
        return
    for verb in VERBS:
        connection.exec_driver_sql(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{name} is append-only'); END"
        )
