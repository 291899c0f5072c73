import pytest
import sqlalchemy as sa

from seawall.core.errors import UnavailableError
from seawall.store import Database

TABLE = "CREATE TABLE thing (name TEXT PRIMARY KEY)"
INSERT = "INSERT INTO thing VALUES ('a')"


def _run(database, statement):
    with database.write() as connection:
        connection.execute(sa.text(statement))


def test_a_write_is_undone_as_a_whole(database):
    _run(database, TABLE)

    def write_and_fail():
        with database.write() as connection:
            connection.execute(sa.text(INSERT))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    with database.read() as connection:
        assert connection.execute(sa.text("SELECT * FROM thing")).all() == []


def test_a_reader_sees_one_snapshot(database):
    _run(database, TABLE)
    with database.read() as reader:
        assert reader.execute(sa.text("SELECT count(*) FROM thing")).scalar() == 0
        _run(database, INSERT)
        assert reader.execute(sa.text("SELECT count(*) FROM thing")).scalar() == 0
    with database.read() as reader:
        assert reader.execute(sa.text("SELECT count(*) FROM thing")).scalar() == 1


def test_a_broken_promise_is_not_an_outage(database):
    _run(database, TABLE)
    _run(database, INSERT)
    with pytest.raises(sa.exc.IntegrityError):
        _run(database, INSERT)


def test_a_damaged_file_is_said_to_be_damaged(tmp_path):
    path = tmp_path / "broken.sqlite"
    path.write_bytes(b"this is no database" * 400)
    database = Database.open_file(path)
    with pytest.raises(UnavailableError, match="damaged"):
        _run(database, TABLE)


def test_the_file_is_its_owners_alone(tmp_path):
    Database.open_file(tmp_path / "x.sqlite").close()
    assert (tmp_path / "x.sqlite").stat().st_mode & 0o777 == 0o600
