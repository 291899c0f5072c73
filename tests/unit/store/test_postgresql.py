"""What only a server can do: fall, let others wait, cut connections, be full."""

from __future__ import annotations

import concurrent.futures
import threading

import pytest
import sqlalchemy as sa

from seawall.core.errors import InvalidInputError, UnavailableError
from seawall.store import Database, _postgresql, address
from seawall.testing import databases
from seawall.testing.postgresql import Server

COUNT = "SELECT count(*) FROM thing"
PATIENCE = 60.0


@pytest.fixture
def server(postgresql: databases.Servers) -> Server:
    return postgresql.server


@pytest.fixture
def place(server: Server) -> address.Address:
    name = server.create()
    where = server.address(name)
    database = Database.open_server(where)
    with database.write() as connection:
        connection.execute(sa.text("CREATE TABLE thing (name TEXT PRIMARY KEY, number INTEGER)"))
    database.close()
    return where


@pytest.fixture
def opened(place: address.Address):
    database = Database.open_server(place)
    yield database
    database.close()


def run(database: Database, statement: str, **values: object) -> object:
    with database.write() as connection:
        result = connection.execute(sa.text(statement), values)
        return result.scalar() if result.returns_rows else None


def waiting_for_the_lock(database: Database) -> int:
    asked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with database.read() as connection:
        found: int = connection.execute(sa.text(asked)).scalar_one()
        return found


def test_a_write_waits_for_the_one_before_and_then_sees_it(
    opened: Database, place: address.Address
) -> None:
    other, seen = Database.open_server(place), []

    def second() -> None:
        with other.write() as connection:
            seen.append(connection.execute(sa.text(COUNT)).scalar())

    thread = threading.Thread(target=second)
    with opened.write() as connection:
        thread.start()
        while not waiting_for_the_lock(opened):
            assert thread.is_alive()
        connection.execute(sa.text("INSERT INTO thing VALUES ('a', 1)"))
        assert [] == seen
    thread.join(PATIENCE)
    assert [1] == seen
    other.close()


def test_two_that_look_and_then_write_never_lose_a_change(
    opened: Database, place: address.Address
) -> None:
    """Two replicas: read a number, write it plus one. With less than one writer some get lost."""
    run(opened, "INSERT INTO thing VALUES ('n', 0)")
    replicas = [opened, Database.open_server(place)]

    def add(number: int) -> None:
        with replicas[number % 2].write() as connection:
            now = connection.execute(sa.text("SELECT number FROM thing")).scalar_one()
            connection.execute(sa.text("UPDATE thing SET number = :n"), {"n": now + 1})

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(100)))
    assert 100 == run(opened, "SELECT number FROM thing")
    replicas[1].close()


def test_a_write_beside_waits_for_no_writer(opened: Database) -> None:
    with opened.write() as connection:
        connection.execute(sa.text("INSERT INTO thing VALUES ('a', 1)"))
        with opened.write_beside() as other:
            other.execute(sa.text("INSERT INTO thing VALUES ('b', 1)"))
        with opened.read() as reader:
            assert 1 == reader.execute(sa.text(COUNT)).scalar()
    assert 2 == run(opened, COUNT)


def test_a_writer_that_waits_too_long_is_told(
    opened: Database, place: address.Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_postgresql, "LOCK_TIMEOUT_MS", 50)
    hasty = Database.open_server(place)
    with opened.write(), pytest.raises(UnavailableError, match="another writer"):
        run(hasty, COUNT)
    assert 0 == run(hasty, COUNT)
    hasty.close()


def test_a_statement_that_takes_too_long_is_told(
    place: address.Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_postgresql, "STATEMENT_TIMEOUT_MS", 50)
    hasty = Database.open_server(place)
    with pytest.raises(UnavailableError, match="too long"):
        run(hasty, "SELECT pg_sleep(60)")
    hasty.close()


def test_a_writer_that_stands_still_loses_its_turn_and_others_go_on(
    opened: Database, place: address.Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_postgresql, "IDLE_TIMEOUT_MS", 100)
    still = Database.open_server(place)

    def stand_still() -> None:
        with still.write() as connection:
            connection.execute(sa.text("INSERT INTO thing VALUES ('a', 1)"))
            assert 0 == run(opened, COUNT)  # waits until the server has ended the other
            connection.execute(sa.text(COUNT))

    with pytest.raises(UnavailableError, match=r"stood still|broke"):
        stand_still()
    still.close()


def test_a_read_can_change_nothing(opened: Database) -> None:
    with pytest.raises(UnavailableError, match="takes no changes"), opened.read() as connection:
        connection.execute(sa.text("INSERT INTO thing VALUES ('a', 1)"))
    assert 0 == run(opened, COUNT)


def test_a_restart_of_the_server_fails_nobody_who_comes_afterwards(
    opened: Database, server: Server
) -> None:
    with opened.read(), opened.read():  # two connections, both to be cut
        pass
    server.restart()
    assert 0 == run(opened, COUNT)
    with opened.read() as connection:
        assert 0 == connection.execute(sa.text(COUNT)).scalar()


def test_a_connection_that_is_cut_in_the_middle_undoes_the_write(
    opened: Database, place: address.Address, server: Server
) -> None:
    def write_and_be_cut() -> None:
        with opened.write() as connection:
            connection.execute(sa.text("INSERT INTO thing VALUES ('a', 1)"))
            own = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
            server.say(f"SELECT pg_terminate_backend({own}, 10000)")
            connection.execute(sa.text(COUNT))

    with pytest.raises(UnavailableError):
        write_and_be_cut()
    assert 0 == run(opened, COUNT)


def test_what_does_not_answer_is_told_without_its_name(tmp_path, caplog) -> None:
    nowhere = Database.open_server(address.parse(f"postgresql://someone@/d?host={tmp_path}"))
    with pytest.raises(UnavailableError, match="cannot be reached") as told:
        run(nowhere, COUNT)
    assert str(tmp_path) not in str(told.value)
    assert str(tmp_path) in caplog.text  # but the operator's own log says it


def test_a_database_that_is_not_there_is_told(server: Server) -> None:
    absent = Database.open_server(server.address("absent"))
    with pytest.raises(UnavailableError):
        run(absent, COUNT)


def test_all_connections_in_use_is_told(
    place: address.Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_postgresql, "POOL_TIMEOUT_S", 0.05)
    small = Database.open_server(address.Address(
        host=place.host, port=place.port, database=place.database, user=place.user,
        transport=place.transport, connections=2,
    ))  # fmt: skip
    with small.read(), small.read(), pytest.raises(UnavailableError, match="in use"):
        run(small, COUNT)
    small.close()


def test_the_character_that_it_cannot_keep_is_the_callers_mistake(opened: Database) -> None:
    with pytest.raises(InvalidInputError, match=r"U\+0000"):
        run(opened, "SELECT * FROM thing WHERE name = :name", name="a\0b")


def test_sessions_carry_our_name_and_limits(opened: Database) -> None:
    asked = "SELECT current_setting(:name)"
    for name, value in (
        ("application_name", "seawall"),
        ("lock_timeout", "15s"),
        ("statement_timeout", "1min"),
        ("idle_in_transaction_session_timeout", "1min"),
    ):
        assert value == run(opened, asked, name=name)
    for _ in range(12):  # also when the driver would prepare what it sends again and again
        run(opened, COUNT)
