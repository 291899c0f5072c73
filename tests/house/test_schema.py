"""A migrated database is the one that the rooms declare, and keeps its log."""

from __future__ import annotations

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
from seawall.app import rooms
from seawall.core import actor
from seawall.identity.events import UserCreated
from seawall.store import Database, migrate, tables
from seawall.testing.clocks import FakeClock


@pytest.fixture
def migrated(tmp_path: Path) -> Iterator[Database]:
    rooms.import_tables()
    database = Database.open_file(tmp_path / "migrated.sqlite")
    migrate.migrate(database)
    yield database
    database.close()


def shape_of_indexes(connection: sa.Connection) -> set[str]:
    """Indexes as SQLite keeps them, so that their conditions are compared too."""
    query = "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    return {
        " ".join(row.sql.replace('"', "").split()) for row in connection.execute(sa.text(query))
    }


def test_migrations_make_the_tables_that_the_rooms_declare(migrated: Database) -> None:
    with migrated.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert [] == compare_metadata(context, tables)


def test_migrations_make_every_index_with_its_condition(migrated: Database) -> None:
    declared = sa.create_engine("sqlite://")
    with declared.begin() as connection:
        tables.create_all(connection)
        expected = shape_of_indexes(connection)
    declared.dispose()
    with migrated.read() as connection:
        assert expected == shape_of_indexes(connection)


def test_every_room_with_tables_is_listed() -> None:
    rooms_with_tables = {p.parent.name for p in repository.SOURCE.glob("*/_sql.py")}
    assert rooms_with_tables == set(rooms.TABLES)


def test_head_is_the_newest_revision() -> None:
    settings = Config()
    folder = repository.SOURCE / "store" / "migrations"
    settings.set_main_option("script_location", str(folder).replace("%", "%%"))
    assert [migrate.HEAD] == ScriptDirectory.from_config(settings).get_heads()


def test_migrating_twice_changes_nothing(migrated: Database) -> None:
    assert not migrate.migrate(migrated)
    migrate.require_current(migrated)


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_entry SET kind = 'x'", "DELETE FROM audit_entry"]
)
def test_the_log_refuses_to_be_rewritten(migrated: Database, statement: str) -> None:
    with migrated.write() as connection:
        event = UserCreated(name="alice", is_administrator=False)
        audit.record(connection, event, actor=actor.operator("root"), at=FakeClock().now())
    with pytest.raises(Exception, match="append-only"), migrated.write() as connection:
        connection.execute(sa.text(statement))
    with migrated.read() as connection:
        assert isinstance(audit.verify(connection), audit.Head)
        assert 1 == audit.head(connection).seq
