"""The watch: every commit of anybody moves the number, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from seawall.store import Database
from seawall.store.watching import Watch


def test_every_commit_of_anybody_moves_the_number(tmp_path: Path) -> None:
    one, other = (Database.open_file(tmp_path / "test.sqlite") for _ in range(2))
    watch = Watch(one)
    seen = [watch.number()]
    assert seen[0] == watch.number()
    for database in (one, other):
        with database.write() as connection:
            connection.execute(sa.text("CREATE TABLE IF NOT EXISTS t (x)"))
        with database.write() as connection:
            before = watch.number()
            connection.execute(sa.text("INSERT INTO t VALUES (1)"))
            assert before == watch.number()  # nothing is committed yet
        seen.append(watch.number())
    assert 3 == len({number for number in seen if number is not None})
    with one.read() as connection:
        connection.execute(sa.text("SELECT * FROM t")).all()
    assert seen[-1] == watch.number()
    one.close()
    other.close()


def test_nobody_can_tell_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    database = Database.open_file(tmp_path / "test.sqlite")
    (tmp_path / "test.sqlite").unlink()
    assert Watch(database).number() is None
