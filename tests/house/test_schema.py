"""A migrated database is the one that the rooms declare, and keeps its log."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from house import repository
from seawall import audit
from seawall.app.databases import TABLES, import_tables
from seawall.core import actor
from seawall.core.errors import ConflictError
from seawall.identity.events import UserCreated
from seawall.store import Database, migrate, tables
from seawall.testing import databases
from seawall.testing.clocks import FakeClock


@pytest.fixture(params=databases.KINDS)
def empty(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    import_tables()
    if request.param == databases.SQLITE:
        database = Database.open_file(tmp_path / "migrated.sqlite")
    else:
        server = request.getfixturevalue("postgresql").server
        database = Database.open_server(server.address(server.create()))
    yield database
    database.close()


@pytest.fixture
def migrated(empty: Database) -> Database:
    migrate.migrate(empty)
    return empty


def shape_of_indexes(connection: sa.Connection) -> set[str]:
    """Indexes as the database keeps them, so that their conditions are compared too."""
    queries = {
        "sqlite": "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
        "postgresql": "SELECT indexdef AS sql FROM pg_indexes WHERE schemaname = current_schema()"
        " AND tablename <> 'alembic_version'",
    }
    rows = connection.execute(sa.text(queries[connection.dialect.name]))
    return {" ".join(row.sql.replace('"', "").split()) for row in rows}


def test_migrations_make_the_tables_that_the_rooms_declare(migrated: Database) -> None:
    with migrated.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert [] == compare_metadata(context, tables)


def test_migrations_make_every_index_with_its_condition(empty: Database) -> None:
    with empty.write() as connection:
        tables.create_all(connection)
        expected = shape_of_indexes(connection)
        tables.drop_all(connection)
    assert expected
    migrate.migrate(empty)
    with empty.read() as connection:
        assert expected == shape_of_indexes(connection)


def test_every_room_with_tables_is_listed() -> None:
    rooms_with_tables = {p.parent.name for p in repository.SOURCE.glob("*/_sql.py")}
    assert rooms_with_tables == set(TABLES)


def test_head_is_the_newest_revision() -> None:
    settings = Config()
    folder = repository.SOURCE / "store" / "migrations"
    settings.set_main_option("script_location", str(folder).replace("%", "%%"))
    assert [migrate.HEAD] == ScriptDirectory.from_config(settings).get_heads()


def test_migrating_twice_changes_nothing(migrated: Database) -> None:
    assert not migrate.migrate(migrated)
    migrate.require_current(migrated)


def test_a_database_that_does_not_sort_by_bytes_is_refused(
    postgresql: databases.Servers,
) -> None:
    server = postgresql.server
    if server.version < 15:
        pytest.skip("needs PostgreSQL 15 for a database with an ICU collation")
    name = server.create(options="LOCALE_PROVIDER icu ICU_LOCALE 'und'")
    database = Database.open_server(server.address(name))
    with pytest.raises(ConflictError, match="does not sort texts by their bytes"):
        migrate.migrate(database)
    assert migrate.current(database) is None
    database.close()


def test_of_two_that_migrate_at_once_one_does_it(postgresql: databases.Servers) -> None:
    import_tables()
    server = postgresql.server
    name = server.create()
    opened = [Database.open_server(server.address(name)) for _ in range(2)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        # Alembic itself is no thing for two threads, so the first is held where it begins.
        with opened[0].write() as connection:
            waiting = pool.submit(migrate.migrate, opened[1])
            migrate.upgrade(connection)
        assert waiting.result(60)
    for database in opened:
        migrate.require_current(database)
        database.close()


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_entry SET kind = 'x'", "DELETE FROM audit_entry", "TRUNCATE audit_entry"],
)
def test_the_log_refuses_to_be_rewritten(migrated: Database, statement: str) -> None:
    if statement.startswith("TRUNCATE") and not migrated.is_shared:
        pytest.skip("SQLite has no TRUNCATE")
    with migrated.write() as connection:
        event = UserCreated(name="alice", is_administrator=False)
        audit.record(connection, event, actor=actor.operator("root"), at=FakeClock().now())
    with pytest.raises(Exception, match="append-only"), migrated.write() as connection:
        connection.execute(sa.text(statement))
    with migrated.read() as connection:
        assert isinstance(audit.verify(connection), audit.Head)
        assert 1 == audit.head(connection).seq
