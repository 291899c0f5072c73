"""Users, passwords, and what ends when a user is disabled."""

from __future__ import annotations

import datetime as dt

import pytest

from seawall import audit
from seawall.core import actor as actors
from seawall.core.errors import ConflictError, InvalidInputError, NotFoundError
from seawall.identity.errors import InvalidCredentialsError, TooManyAttemptsError
from seawall.identity.users import Users
from seawall.store import Database
from seawall.testing.callers import cheap_passwords
from seawall.testing.clocks import FakeClock

PASSWORD = "correct horse battery"
OPERATOR = actors.operator("root")


@pytest.fixture
def users(database: Database, clock: FakeClock) -> Users:
    return Users(database, clock, hashing=cheap_passwords())


def kinds(database: Database) -> list[str]:
    with database.read() as connection:
        return [entry.kind for entry in audit.read(connection)]


def test_a_created_user_can_authenticate(users: Users, database: Database) -> None:
    created = users.create("alice", PASSWORD, actor=OPERATOR)
    assert created == users.authenticate("alice", PASSWORD) == users.get("alice")
    assert ["UserCreated"] == kinds(database)


def test_the_first_administrator_is_made_once(users: Users) -> None:
    password = users.ensure_first_administrator()
    assert password is not None
    assert users.authenticate("admin", password).is_administrator
    assert users.ensure_first_administrator() is None


def test_neither_database_nor_log_holds_a_password(users: Users, database: Database) -> None:
    users.create("alice", PASSWORD, actor=OPERATOR)
    with pytest.raises(InvalidCredentialsError):
        users.authenticate(PASSWORD, "typed into the wrong field")
    with database.read() as connection:
        dump = "".join(str(e.body) for e in audit.read(connection))
        stored = connection.exec_driver_sql("SELECT * FROM identity_user").all()
    assert PASSWORD not in dump + str(stored)
    assert "$argon2id$" in str(stored)


def test_a_name_is_taken_for_ever(users: Users) -> None:
    users.create("admin", PASSWORD, is_administrator=True, actor=OPERATOR)
    users.create("alice", PASSWORD, actor=OPERATOR)
    users.disable("alice", actor=OPERATOR)
    with pytest.raises(ConflictError):
        users.create("alice", PASSWORD, actor=OPERATOR)


@pytest.mark.parametrize("password", ["short", "alice1234567", "aaaaaaaaaaaaaaaa", "x1y2\0" * 5])
def test_weak_passwords_are_refused(users: Users, password: str) -> None:
    with pytest.raises(InvalidInputError):
        users.create("alice", password, actor=OPERATOR)


def test_composed_and_decomposed_characters_are_one_password(users: Users) -> None:
    users.create("alice", "pässwörter-lang", actor=OPERATOR)
    assert users.authenticate("alice", "pa\u0308sswo\u0308rter-lang")


def test_an_old_password_stops_working_at_once(users: Users) -> None:
    users.create("alice", PASSWORD, actor=OPERATOR)
    users.authenticate("alice", PASSWORD)
    users.set_password("alice", "another horse entirely", actor=OPERATOR)
    with pytest.raises(InvalidCredentialsError):
        users.authenticate("alice", PASSWORD)
    assert users.authenticate("alice", "another horse entirely")


def test_a_disabled_user_is_out_and_an_enabled_one_in_again(
    users: Users, database: Database
) -> None:
    users.create("alice", PASSWORD, actor=OPERATOR)
    users.authenticate("alice", PASSWORD)
    users.disable("alice", actor=OPERATOR)
    with pytest.raises(InvalidCredentialsError):
        users.authenticate("alice", PASSWORD)
    users.enable("alice", actor=OPERATOR)
    assert users.authenticate("alice", PASSWORD)
    assert ["UserCreated", "UserDisabled", "UserEnabled"] == kinds(database)


def test_the_last_administrator_cannot_be_disabled(users: Users) -> None:
    users.create("root1", PASSWORD, is_administrator=True, actor=OPERATOR)
    users.create("root2", PASSWORD, is_administrator=True, actor=OPERATOR)
    users.disable("root1", actor=OPERATOR)
    with pytest.raises(ConflictError):
        users.disable("root2", actor=OPERATOR)


def test_unknown_users_are_named_in_the_error(users: Users) -> None:
    for change in (users.disable, users.enable):
        with pytest.raises(NotFoundError):
            change("nobody", actor=OPERATOR)
    with pytest.raises(NotFoundError):
        users.set_password("nobody", PASSWORD, actor=OPERATOR)


def test_waits_double_up_to_a_minute_and_end_with_success(users: Users, clock: FakeClock) -> None:
    users.create("alice", PASSWORD, actor=OPERATOR)
    waits: list[float] = []
    for _ in range(14):
        try:
            users.authenticate("alice", "wrong")
        except TooManyAttemptsError as error:
            waits.append(error.retry_after.total_seconds())
            clock.advance(error.retry_after)
            with pytest.raises(InvalidCredentialsError):
                users.authenticate("alice", "wrong")
        except InvalidCredentialsError:
            pass
    assert [1, 2, 4, 8, 16, 32, 60, 60] == waits[:8]
    clock.advance(dt.timedelta(minutes=1))
    assert users.authenticate("alice", PASSWORD)
    for _ in range(4):
        with pytest.raises(InvalidCredentialsError):
            users.authenticate("alice", "wrong")
    assert users.authenticate("alice", PASSWORD)


def test_many_right_logins_at_once_are_not_taken_for_guessing(users: Users) -> None:
    users.create("robot", PASSWORD, actor=OPERATOR)
    for _ in range(100):
        assert users.authenticate("robot", PASSWORD)
