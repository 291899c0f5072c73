"""Tokens that are fine."""

from __future__ import annotations

import datetime as dt
import stat
from pathlib import Path

import pytest
from joserfc import jws

from seawall.core import actor as actors
from seawall.core.errors import InvalidInputError, LimitError, UnavailableError
from seawall.identity.model import Action
from seawall.identity.standing import Standing
from seawall.identity.tokens import SigningKey, Tokens
from seawall.oci.names import RepositoryName
from seawall.store import Database
from seawall.testing.clocks import FakeClock

APP = RepositoryName("team/app")
PULL = frozenset({Action.PULL})


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return SigningKey.open(tmp_path / "token.pem")


@pytest.fixture
def tokens(key: SigningKey, database: Database, clock: FakeClock) -> Tokens:
    return Tokens(
        key=key, issuer="here", audience="registry", standing=Standing(database, clock), clock=clock
    )


@pytest.mark.parametrize(
    "actor", [actors.ANONYMOUS, actors.SYSTEM, actors.user("alice"), actors.operator("root")]
)
def test_a_token_says_who_and_what(tokens: Tokens, actor: actors.Actor) -> None:
    token = tokens.verify(tokens.issue(actor, {APP: PULL}).text)
    assert (actor, {"team/app": PULL}, False) == (
        token.actor,
        token.access,
        token.is_administrator,
    )


def test_an_entry_without_actions_is_left_out(tokens: Tokens) -> None:
    assert {} == tokens.verify(tokens.issue(actors.ANONYMOUS, {APP: frozenset()}).text).access


def test_a_token_lives_five_minutes(tokens: Tokens) -> None:
    issued = tokens.issue(actors.ANONYMOUS, {})
    token = tokens.verify(issued.text)
    assert dt.timedelta(seconds=300) == issued.lifetime == token.expires - token.issued


def test_the_gates_token_pulls_one_repository_and_nothing_else(tokens: Tokens) -> None:
    token = tokens.verify(tokens.mint_pull_token(APP, dt.timedelta(seconds=60)))
    assert {"team/app": PULL} == token.access
    assert actors.SYSTEM == token.actor
    assert not token.is_administrator


def test_claims_and_header_are_those_that_clients_expect(tokens: Tokens, key: SigningKey) -> None:
    text = tokens.issue(actors.user("alice"), {APP: PULL}).text
    parsed = jws.deserialize_compact(text, key.key, ["ES256"])
    assert {"alg": "ES256", "kid": key.key.thumbprint(), "typ": "JWT"} == parsed.headers()
    for claim in (b'"iss"', b'"sub":"alice"', b'"aud"', b'"exp"', b'"nbf"', b'"iat"', b'"jti"'):
        assert claim in parsed.payload


def test_the_key_is_private_and_stays_the_same(tmp_path: Path, key: SigningKey) -> None:
    path = tmp_path / "token.pem"
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert key.header == SigningKey.open(path).header
    assert [path] == list(tmp_path.glob("*token*"))


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path, key: SigningKey) -> None:
    (tmp_path / "token.pem").chmod(0o644)
    with pytest.raises(UnavailableError, match="open to other users"):
        SigningKey.open(tmp_path / "token.pem")


def test_too_long_a_list_or_life_is_refused(tokens: Tokens) -> None:
    many = {RepositoryName(f"team/{'x' * 100}{n}"): PULL for n in range(100)}
    with pytest.raises(LimitError):
        tokens.issue(actors.ANONYMOUS, many)
    with pytest.raises(InvalidInputError):
        tokens.issue(actors.ANONYMOUS, {}, lifetime=dt.timedelta(days=1))


def test_a_second_look_asks_no_database_and_no_signature(
    tokens: Tokens, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tokens.issue(actors.user("alice"), {APP: PULL}).text
    first = tokens.verify(text)
    monkeypatch.setattr(jws, "deserialize_compact", None)
    monkeypatch.setattr(database, "read", None)
    assert first is tokens.verify(text)
