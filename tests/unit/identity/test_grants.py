"""The kept grants."""

from __future__ import annotations

import pytest

from seawall import audit
from seawall.core import actor as actors
from seawall.core.errors import InvalidInputError, NotFoundError
from seawall.identity.grants import Grants
from seawall.identity.model import Action
from seawall.identity.users import Users
from seawall.oci.names import RepositoryName
from seawall.store import Database
from seawall.testing.callers import cheap_passwords
from seawall.testing.clocks import FakeClock

OPERATOR = actors.operator("root")
APP = RepositoryName("team/app")
ALICE = actors.user("alice")


@pytest.fixture
def users(database: Database, clock: FakeClock) -> Users:
    users = Users(database, clock, hashing=cheap_passwords())
    users.create("alice", "correct horse battery", actor=OPERATOR)
    users.create("boss", "correct horse battery", is_administrator=True, actor=OPERATOR)
    return users


@pytest.fixture
def grants(users: Users, database: Database, clock: FakeClock) -> Grants:
    return Grants(database, clock)


def test_nobody_may_anything_at_first(grants: Grants) -> None:
    for actor in (ALICE, actors.ANONYMOUS, actors.user("nobody")):
        assert not any(grants.may(actor, action, APP) for action in Action)


def test_a_grant_gives_exactly_its_actions_and_is_recorded(
    grants: Grants, database: Database
) -> None:
    grants.grant("alice", "team/*", {Action.PULL, Action.PUSH}, actor=OPERATOR)
    assert [True, True, False] == [grants.may(ALICE, action, APP) for action in Action]
    assert not grants.may(ALICE, Action.PULL, RepositoryName("other/app"))
    with database.read() as connection:
        newest = audit.read(connection, newest_first=True)[0]
    assert (
        "GrantAdded",
        {"subject": "alice", "pattern": "team/*", "actions": ["pull", "push"]},
    ) == (
        newest.kind,
        newest.details(),
    )


def test_a_second_grant_on_the_same_pattern_replaces_the_first(grants: Grants) -> None:
    grants.grant("alice", "team/*", Action, actor=OPERATOR)
    grants.grant("alice", "team/*", {Action.PULL}, actor=OPERATOR)
    assert 1 == len(grants.list())
    assert not grants.may(ALICE, Action.PUSH, APP)


def test_a_revoked_grant_gives_nothing(grants: Grants) -> None:
    grants.grant("alice", "**", Action, actor=OPERATOR)
    grants.revoke("alice", "**", actor=OPERATOR)
    assert not grants.may(ALICE, Action.PULL, APP)
    with pytest.raises(NotFoundError):
        grants.revoke("alice", "**", actor=OPERATOR)


def test_the_two_words_mean_everyone_and_every_user(grants: Grants) -> None:
    grants.grant("anonymous", "public/*", {Action.PULL}, actor=OPERATOR)
    grants.grant("authenticated", "shared/*", {Action.PUSH}, actor=OPERATOR)
    public, shared = RepositoryName("public/a"), RepositoryName("shared/a")
    assert grants.may(actors.ANONYMOUS, Action.PULL, public)
    assert grants.may(ALICE, Action.PULL, public)
    assert grants.may(ALICE, Action.PUSH, shared)
    assert not grants.may(actors.ANONYMOUS, Action.PUSH, shared)


def test_administrators_may_everything_until_they_are_disabled(
    grants: Grants, users: Users
) -> None:
    boss = actors.user("boss")
    assert all(grants.may(boss, action, APP) for action in Action)
    users.create("boss2", "correct horse battery", is_administrator=True, actor=OPERATOR)
    users.disable("boss", actor=OPERATOR)
    assert not any(grants.may(boss, action, APP) for action in Action)


def test_the_operator_and_seawall_itself_may_everything_without_grants(grants: Grants) -> None:
    assert grants.may(OPERATOR, Action.DELETE, APP)
    assert grants.may(actors.SYSTEM, Action.PULL, APP)
    assert () == grants.of(actors.SYSTEM)


def test_refuses_grants_that_mean_nothing_or_too_much(grants: Grants) -> None:
    with pytest.raises(InvalidInputError):
        grants.grant("alice", "**", set(), actor=OPERATOR)
    with pytest.raises(InvalidInputError):
        grants.grant("anonymous", "*", {Action.PUSH}, actor=OPERATOR)
    with pytest.raises(NotFoundError):
        grants.grant("nobody", "*", {Action.PULL}, actor=OPERATOR)
    with pytest.raises(InvalidInputError):
        grants.grant("alice", "a**", {Action.PULL}, actor=OPERATOR)
