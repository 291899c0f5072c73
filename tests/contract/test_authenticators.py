"""What every `Authenticator` does: the real one and the fake that the doors' tests use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import pytest

from seawall.core import actor as actors
from seawall.identity.errors import InvalidCredentialsError
from seawall.identity.grants import Grants
from seawall.identity.model import Action
from seawall.identity.standing import Standing
from seawall.identity.tokens import SigningKey, Tokens
from seawall.identity.users import Users
from seawall.ingress.access import ANONYMOUS, Authenticator
from seawall.ingress.bearer import BearerAuthenticator
from seawall.oci.names import RepositoryName
from seawall.store import Database
from seawall.testing.callers import FakeAuthenticator, cheap_passwords
from seawall.testing.clocks import FakeClock

APP, OTHER = RepositoryName("team/app"), RepositoryName("team/other")
LISTED = {APP: frozenset({Action.PULL})}
GRANTED = {"team/*": frozenset({Action.PULL, Action.PUSH})}
OPERATOR = actors.operator("root")

Make: TypeAlias = Callable[[], tuple[Authenticator, str]]
"""Makes an authenticator and a header of alice, with LISTED in her token and GRANTED to her."""


@pytest.fixture
def real(database: Database, clock: FakeClock, tmp_path: Path) -> Make:
    def make() -> tuple[Authenticator, str]:
        users, grants = Users(database, clock, hashing=cheap_passwords()), Grants(database, clock)
        users.create("alice", "correct horse battery", actor=OPERATOR)
        for pattern, actions in GRANTED.items():
            grants.grant("alice", pattern, actions, actor=OPERATOR)
        tokens = Tokens(
            key=SigningKey.open(tmp_path / "token.pem"),
            issuer="here",
            audience=FakeAuthenticator.service,
            standing=Standing(database, clock),
            clock=clock,
        )
        authenticator = BearerAuthenticator(
            tokens=tokens,
            grants=grants,
            realm=FakeAuthenticator.realm,
            service=FakeAuthenticator.service,
        )
        return authenticator, f"Bearer {tokens.issue(actors.user('alice'), LISTED).text}"

    return make


@pytest.fixture
def fake() -> Make:
    def make() -> tuple[Authenticator, str]:
        authenticator = FakeAuthenticator()
        access: Mapping[str, frozenset[Action]] = {str(k): v for k, v in LISTED.items()}
        authenticator.add("alice", access, grants=GRANTED)
        return authenticator, "Bearer alice"

    return make


@pytest.fixture(params=["real", "fake"])
def made(request: pytest.FixtureRequest) -> tuple[Authenticator, str]:
    make: Make = request.getfixturevalue(request.param)
    return make()


def test_a_token_proves_its_caller_with_the_rights_it_lists(
    made: tuple[Authenticator, str],
) -> None:
    authenticator, header = made
    caller = authenticator.caller_of(header)
    assert actors.user("alice") == caller.actor
    assert [True, False, False] == [caller.may(action, APP) for action in Action]
    assert not caller.may(Action.PULL, OTHER)
    assert not caller.is_administrator


def test_current_rights_come_on_top(made: tuple[Authenticator, str]) -> None:
    authenticator, header = made
    caller = authenticator.with_current_rights(authenticator.caller_of(header))
    assert [True, True, False] == [caller.may(action, OTHER) for action in Action]


def test_nothing_shown_is_anonymous_without_rights(made: tuple[Authenticator, str]) -> None:
    authenticator, _ = made
    caller = authenticator.caller_of(None)
    assert ANONYMOUS == caller
    assert not authenticator.with_current_rights(caller).may(Action.PULL, APP)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "Basic YWxpY2U6eA==", "alice"])
def test_anything_else_is_refused(made: tuple[Authenticator, str], header: str) -> None:
    authenticator, _ = made
    with pytest.raises(InvalidCredentialsError):
        authenticator.caller_of(header)


def test_challenges_are_the_same(made: tuple[Authenticator, str]) -> None:
    authenticator, _ = made
    expected = FakeAuthenticator().challenge("repository:a:pull", error="invalid_token")
    assert expected == authenticator.challenge("repository:a:pull", error="invalid_token")
    assert FakeAuthenticator().challenge("") == authenticator.challenge("")
