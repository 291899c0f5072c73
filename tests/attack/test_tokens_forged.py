"""Tokens that must not work: forged, foreign, stale, replayed after their end."""

from __future__ import annotations

import base64
import datetime as dt
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey

from seawall.core import actor as actors
from seawall.identity.errors import InvalidCredentialsError
from seawall.identity.grants import Grants
from seawall.identity.model import Action
from seawall.identity.standing import Standing
from seawall.identity.tokens import SigningKey, Tokens
from seawall.identity.users import Users
from seawall.ingress.access import ANONYMOUS
from seawall.ingress.bearer import BearerAuthenticator
from seawall.oci.names import RepositoryName
from seawall.store import Database
from seawall.testing.callers import cheap_passwords
from seawall.testing.clocks import FakeClock

OPERATOR = actors.operator("root")
ALICE = actors.user("alice")
APP = RepositoryName("team/app")
PULL = frozenset({Action.PULL})
SECONDS = dt.timedelta(seconds=1)


class House:
    """Everything that a token passes through."""

    def __init__(self, database: Database, clock: FakeClock, folder: Path) -> None:
        self.clock = clock
        self.users = Users(database, clock, hashing=cheap_passwords())
        self.grants = Grants(database, clock)
        self.key = SigningKey.open(folder / "token.pem")
        self.tokens = Tokens(
            key=self.key,
            issuer="https://here",
            audience="registry",
            standing=Standing(database, clock),
            clock=clock,
        )
        self.authenticator = BearerAuthenticator(
            tokens=self.tokens, grants=self.grants, realm="https://here/token", service="registry"
        )
        self.users.create("alice", "correct horse battery", actor=OPERATOR)

    def claims(self, **changes: object) -> dict[str, object]:
        now = self.clock.now().timestamp()
        claims: dict[str, object] = {
            "iss": "https://here",
            "sub": "alice",
            "aud": "registry",
            "exp": now + 300,
            "nbf": now,
            "iat": now,
            "jti": "0",
            "access": [{"type": "repository", "name": "team/app", "actions": ["pull"]}],
        }
        return {key: value for key, value in {**claims, **changes}.items() if value is not None}

    def sign(self, **changes: object) -> str:
        return self.sign_bytes(json.dumps(self.claims(**changes)).encode())

    def sign_bytes(self, payload: bytes) -> str:
        return jws.serialize_compact(self.key.header, payload, self.key.key, ["ES256"])

    def refuses(self, token: str) -> None:
        with pytest.raises(InvalidCredentialsError):
            self.authenticator.caller_of(f"Bearer {token}")

    def accepts(self, token: str) -> None:
        assert ALICE == self.authenticator.caller_of(f"Bearer {token}").actor


@pytest.fixture
def house(database: Database, clock: FakeClock, tmp_path: Path) -> House:
    return House(database, clock, tmp_path)


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_the_forgers_tool_makes_good_tokens(house: House) -> None:
    house.accepts(house.sign())


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
def test_refuses_unsigned_tokens(house: House, algorithm: str) -> None:
    payload = encoded(house.claims())
    for header in ({"alg": algorithm}, {"alg": algorithm, "kid": house.key.header["kid"]}):
        for signature in ("", "AA", house.sign().rpartition(".")[2]):
            house.refuses(f"{encoded(header)}.{payload}.{signature}")
    house.refuses(f"{house.key.header_segment}.{payload}.")


def test_refuses_hmac_under_the_public_key(house: House) -> None:
    header = {"alg": "HS256", "kid": house.key.header["kid"], "typ": "JWT"}
    body = json.dumps(house.claims()).encode()
    for public in (house.key.key.as_pem(private=False), house.key.key.as_der(private=False)):
        try:
            secret = OctKey.import_key(public)
        except ValueError:
            continue  # the library itself refuses to take PEM for a secret
        house.refuses(jws.serialize_compact(header, body, secret, ["HS256"]))


def test_refuses_other_algorithms_and_keys_under_our_key_id(house: House) -> None:
    body = json.dumps(house.claims()).encode()
    kid = house.key.header["kid"]
    rsa = RSAKey.generate_key(2048, private=True)
    house.refuses(jws.serialize_compact({"alg": "RS256", "kid": kid}, body, rsa, ["RS256"]))
    other = ECKey.generate_key("P-256", private=True)
    house.refuses(jws.serialize_compact(house.key.header, body, other, ["ES256"]))


def test_refuses_keys_that_a_token_brings_along(house: House) -> None:
    body = json.dumps(house.claims()).encode()
    other = ECKey.generate_key("P-256", private=True)
    for extra in ({"jwk": other.as_dict(private=False)}, {"jku": "https://evil.test/keys"}):
        header = {**house.key.header, **extra}
        house.refuses(jws.serialize_compact(header, body, other, ["ES256"]))


def test_refuses_unknown_header_fields_even_when_signed_by_us(house: House) -> None:
    body = json.dumps(house.claims()).encode()
    for header in ({**house.key.header, "typ": "at+jwt"}, {"alg": "ES256"}):
        house.refuses(jws.serialize_compact(header, body, house.key.key, ["ES256"]))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://elsewhere"},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["registry"]},
        {"aud": None},
        {"exp": None},
        {"exp": "never"},
        {"exp": 1e300},
        {"nbf": None},
        {"iat": None},
        {"sub": None},
        {"sub": "root:admin"},
        {"access": None},
        {"access": [{"type": "repository", "name": "team/app", "actions": ["*"]}]},
        {"access": {"team/app": ["pull"]}},
        {"administrator": "yes"},
        {"surprise": 1},
    ],
)
def test_refuses_claims_that_we_do_not_write(house: House, changes: dict[str, object]) -> None:
    house.refuses(house.sign(**changes))


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 5000])
def test_refuses_payloads_that_are_no_claims(house: House, payload: bytes) -> None:
    house.refuses(house.sign_bytes(payload))


def test_refuses_a_claim_given_twice(house: House) -> None:
    twice = json.dumps(house.claims())[:-1] + ', "sub": "boss"}'
    house.refuses(house.sign_bytes(twice.encode()))


@pytest.mark.parametrize("seconds", [-400, -306])
def test_refuses_expired_tokens(house: House, seconds: int) -> None:
    now = house.clock.now().timestamp() + seconds
    house.refuses(house.sign(iat=now, nbf=now, exp=now + 300))


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_refuses_tokens_from_the_future(house: House, claim: str) -> None:
    house.refuses(house.sign(**{claim: house.clock.now().timestamp() + 6}))


def test_refuses_tokens_that_live_too_long(house: House) -> None:
    house.refuses(house.sign(exp=house.clock.now().timestamp() + 86_400))


def test_refuses_a_remembered_token_once_it_expires(house: House) -> None:
    token = house.sign()
    house.accepts(token)
    house.clock.advance(304 * SECONDS)
    house.accepts(token)
    house.clock.advance(SECONDS)
    house.refuses(token)


def test_refuses_an_expired_token_after_the_clock_was_set_back(house: House) -> None:
    seen, unseen = house.sign(jti="1"), house.sign(jti="2")
    house.accepts(seen)
    house.clock.advance(400 * SECONDS)
    house.refuses(seen)
    house.refuses(unseen)
    house.clock.advance(-399 * SECONDS)
    house.refuses(seen)
    house.refuses(unseen)


def test_refuses_a_token_issued_before_the_clock_was_set_back(house: House) -> None:
    token = house.sign()
    house.accepts(token)
    house.clock.advance(-60 * SECONDS)
    house.refuses(token)


def test_refuses_other_repositories_and_actions_than_those_listed(house: House) -> None:
    caller = house.authenticator.caller_of(f"Bearer {house.sign()}")
    assert caller.may(Action.PULL, APP)
    assert not caller.may(Action.PUSH, APP)
    assert not caller.may(Action.DELETE, APP)
    for name in ("team/app2", "team", "team/app/x", "other/app"):
        assert not caller.may(Action.PULL, RepositoryName(name))


def test_refuses_a_wildcard_smuggled_into_a_token_s_list(house: House) -> None:
    access = [{"type": "repository", "name": "*", "actions": ["pull"]}]
    caller = house.authenticator.caller_of(f"Bearer {house.sign(access=access)}")
    assert not caller.may(Action.PULL, APP)


def test_refuses_a_disabled_users_token_within_five_seconds(house: House) -> None:
    token = house.tokens.issue(ALICE, {APP: PULL}).text
    house.accepts(token)
    house.clock.advance(SECONDS)
    house.users.disable("alice", actor=OPERATOR)
    house.clock.advance(4 * SECONDS)
    house.refuses(token)


def test_refuses_tokens_issued_for_a_user_while_being_disabled(house: House) -> None:
    house.users.disable("alice", actor=OPERATOR)
    house.clock.advance(SECONDS)
    house.refuses(house.tokens.issue(ALICE, {APP: PULL}).text)


def test_refuses_tokens_from_before_a_password_change_but_not_later_ones(house: House) -> None:
    old = house.tokens.issue(ALICE, {APP: PULL}).text
    house.accepts(old)
    house.clock.advance(SECONDS)
    house.users.set_password("alice", "another horse entirely", actor=OPERATOR)
    house.clock.advance(4 * SECONDS)
    house.refuses(old)
    house.accepts(house.tokens.issue(ALICE, {APP: PULL}).text)


@pytest.mark.parametrize("subject", ["alice", "authenticated", "anonymous"])
def test_refuses_tokens_that_may_carry_a_revoked_right(house: House, subject: str) -> None:
    house.grants.grant(subject, "team/*", {Action.PULL}, actor=OPERATOR)
    token = house.tokens.issue(ALICE, {APP: PULL}).text
    gates = house.tokens.mint_pull_token(APP)
    house.accepts(token)
    house.clock.advance(SECONDS)
    house.grants.revoke(subject, "team/*", actor=OPERATOR)
    house.clock.advance(4 * SECONDS)
    house.refuses(token)
    assert house.authenticator.caller_of(f"Bearer {gates}").may(Action.PULL, APP)


def test_refuses_nobody_for_long_because_the_clock_once_was_wrong(house: House) -> None:
    house.clock.advance(dt.timedelta(days=365))
    house.users.set_password("alice", "another horse entirely", actor=OPERATOR)
    house.clock.advance(dt.timedelta(days=-365))
    house.accepts(house.tokens.issue(ALICE, {APP: PULL}).text)


def test_refuses_more_current_rights_to_the_gates_token_than_it_lists(house: House) -> None:
    house.grants.grant("authenticated", "**", Action, actor=OPERATOR)
    gates = house.authenticator.caller_of(f"Bearer {house.tokens.mint_pull_token(APP)}")
    wider = house.authenticator.with_current_rights(gates)
    assert not wider.may(Action.PUSH, APP)
    assert not wider.may(Action.PULL, RepositoryName("other/app"))


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic YWxpY2U6cGFzcw==", "Digest x", "Token {}", "Bearer {} {}",
     "Bearer {}\x00", "Bearer é", "Bearer " + "a." * 50_000],
)  # fmt: skip
def test_refuses_other_authorization(house: House, header: str) -> None:
    with pytest.raises(InvalidCredentialsError):
        house.authenticator.caller_of(header.replace("{}", house.sign()))


def test_nobody_in_particular_has_no_rights(house: House) -> None:
    caller = house.authenticator.caller_of(None)
    assert ANONYMOUS == caller
    assert not caller.may(Action.PULL, APP)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_refuses_every_token_with_one_character_changed(house: House, data: st.DataObject) -> None:
    token = house.sign()
    # The last character of the signature has unused bits: it may change without meaning anything.
    place = data.draw(st.integers(0, len(token) - 2))
    character = data.draw(st.sampled_from("ABCxyz019-_.=+/ "))
    if token[place] != character:
        house.refuses(token[:place] + character + token[place + 1 :])


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=60))
def test_refuses_any_other_text(house: House, text: str) -> None:
    house.refuses(text)


def test_the_challenge_is_quoted_and_bearer_comes_first(house: House) -> None:
    challenge = house.authenticator.challenge(
        "repository:team/app:pull,push", error="insufficient_scope"
    )
    assert (
        'Bearer realm="https://here/token",service="registry",'
        'scope="repository:team/app:pull,push",error="insufficient_scope"'
    ) == challenge
    assert 'Bearer realm="https://here/token",service="registry"' == (
        house.authenticator.challenge("")
    )
