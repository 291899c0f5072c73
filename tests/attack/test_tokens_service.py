"""The token service: what is granted, what is refused, and guessing."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import strategies as st

from seawall import audit
from seawall.core import actor as actors
from seawall.core.errors import InvalidInputError, LimitError
from seawall.distribution import tokens as door
from seawall.identity.errors import InvalidCredentialsError, TooManyAttemptsError
from seawall.identity.grants import Grants
from seawall.identity.model import Action
from seawall.identity.standing import Standing
from seawall.identity.tokens import SigningKey, Tokens, VerifiedToken
from seawall.identity.users import Users
from seawall.ingress.credentials import LONGEST_WAIT_PER_ADDRESS, Credentials
from seawall.store import Database
from seawall.testing.callers import cheap_passwords
from seawall.testing.clocks import FakeClock

OPERATOR = actors.operator("root")
PASSWORD = "correct horse battery"
ALL = frozenset(Action)


class Door:
    def __init__(self, database: Database, clock: FakeClock, folder: Path) -> None:
        self.database = database
        self.clock = clock
        self.users = Users(database, clock, hashing=cheap_passwords())
        self.grants = Grants(database, clock)
        self.tokens = Tokens(
            key=SigningKey.open(folder / "token.pem"),
            issuer="https://here",
            audience="registry",
            standing=Standing(database, clock),
            clock=clock,
        )
        self.client: TestClient[web.Request, web.Application]
        self.users.create("alice", PASSWORD, actor=OPERATOR)
        self.users.create("boss", PASSWORD, is_administrator=True, actor=OPERATOR)
        self.grants.grant("alice", "team/*", {Action.PULL, Action.PUSH}, actor=OPERATOR)
        self.grants.grant("anonymous", "public/*", {Action.PULL}, actor=OPERATOR)

    async def ask(
        self, scope: str | list[str], name: str = "", password: str = PASSWORD
    ) -> VerifiedToken:
        response = await self.get(scope, name, password)
        assert 200 == response.status
        body = await response.json()
        assert body["token"] == body["access_token"]
        assert 300 == body["expires_in"]
        return self.tokens.verify(body["token"])

    async def get(
        self, scope: str | list[str], name: str = "", password: str = PASSWORD
    ) -> ClientResponse:
        scopes = [scope] if isinstance(scope, str) else scope
        query = [("service", "registry"), *(("scope", text) for text in scopes)]
        return await self.client.get("/token", params=query, headers=basic(name, password))


def basic(name: str, password: str) -> dict[str, str]:
    if not name:
        return {}
    encoded = base64.b64encode(f"{name}:{password}".encode()).decode()
    return {"Authorization": f"Basic {encoded}"}


@pytest.fixture
async def house(database: Database, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Door]:
    house = Door(database, clock, tmp_path)
    service = door.TokenService(
        credentials=Credentials(house.users, clock),
        grants=house.grants,
        tokens=house.tokens,
        service="registry",
    )
    app = web.Application()
    app.add_routes(door.token_routes(service))
    async with TestClient(TestServer(app)) as house.client:
        yield house


async def test_a_token_lists_what_is_both_asked_and_granted(house: Door) -> None:
    token = await house.ask("repository:team/app:pull,push,delete", "alice")
    assert {"team/app": {Action.PULL, Action.PUSH}} == token.access
    assert actors.user("alice") == token.actor


async def test_scopes_may_be_repeated_or_stand_side_by_side(house: Door) -> None:
    both = {"team/a": {Action.PUSH}, "public/b": {Action.PULL}}
    a, b = "repository:team/a:push", "repository:public/b:pull"
    assert both == (await house.ask([a, b], "alice")).access
    assert both == (await house.ask(f"{a} {b}", "alice")).access


async def test_an_administrator_gets_all_that_is_asked_and_no_more(house: Door) -> None:
    token = await house.ask("repository:any/thing:*", "boss")
    assert ({"any/thing": ALL}, True) == (token.access, token.is_administrator)


async def test_refuses_rights_silently_that_nobody_granted(house: Door) -> None:
    assert {} == (await house.ask("repository:other/app:pull", "alice")).access
    assert {} == (await house.ask("repository:team/app:pull")).access


async def test_refuses_anonymous_more_than_anonymous_is_granted(house: Door) -> None:
    token = await house.ask("repository:public/a:pull,push repository:team/a:pull")
    assert ({"public/a": {Action.PULL}}, actors.ANONYMOUS) == (token.access, token.actor)


async def test_a_login_without_scope_gets_an_empty_token(house: Door) -> None:
    response = await house.client.get(
        "/token",
        params={"account": "alice", "offline_token": "true"},
        headers=basic("alice", PASSWORD),
    )
    assert 200 == response.status
    assert "no-store" == response.headers["Cache-Control"]
    assert {} == house.tokens.verify((await response.json())["token"]).access


async def test_refuses_wrong_passwords_and_unknown_users_alike(house: Door) -> None:
    answers = [await house.get("", name, "wrong") for name in ("alice", "nobody")]
    assert [401, 401] == [answer.status for answer in answers]
    assert await answers[0].text() == await answers[1].text()
    assert answers[0].headers["WWW-Authenticate"].startswith("Basic ")


async def test_refuses_wrong_credentials_rather_than_treat_them_as_anonymous(house: Door) -> None:
    assert 401 == (await house.get("repository:public/a:pull", "alice", "wrong")).status


@pytest.mark.parametrize(
    "header", ["Bearer x", "Basic", "Basic !!", "Basic YWxpY2U=", "Basic gA=="]
)
async def test_refuses_authorization_that_does_not_parse(house: Door, header: str) -> None:
    response = await house.client.get("/token", headers={"Authorization": header})
    assert 400 == response.status


async def test_refuses_disabled_users(house: Door) -> None:
    house.users.disable("alice", actor=OPERATOR)
    assert 401 == (await house.get("", "alice")).status


async def test_refuses_another_service(house: Door) -> None:
    assert 400 == (await house.client.get("/token?service=elsewhere")).status


async def test_refuses_guessing_and_keeps_the_log_small(house: Door) -> None:
    statuses = [(await house.get("", "alice", f"guess {n}")).status for n in range(200)]
    assert {401, 429} == set(statuses)
    assert 5 == statuses.count(401)
    last = await house.get("", "alice")
    assert 429 == last.status
    assert int(last.headers["Retry-After"]) >= 1
    with house.database.read() as connection:
        failed = audit.read(connection, only=audit.Filter(kinds=("LoginFailed",)))
    assert [1, 2, 4] == [entry.details()["failures"] for entry in failed]


async def test_refuses_guesses_that_are_sent_side_by_side(house: Door) -> None:
    answers = await asyncio.gather(*(house.get("", "alice", f"guess {n}") for n in range(100)))
    wrong = [answer.status for answer in answers].count(401)
    assert wrong <= 5 + 8


async def test_refuses_an_address_that_tries_many_names(house: Door, clock: FakeClock) -> None:
    door = Credentials(house.users, clock)

    def outcome(name: str, address: str, password: str = "x") -> str:
        try:
            return door.prove(name, password, address=address).name
        except (InvalidCredentialsError, TooManyAttemptsError) as error:
            return type(error).__name__

    assert {"InvalidCredentialsError"} == {outcome(f"n{n}", "192.0.2.1") for n in range(50)}
    assert "TooManyAttemptsError" == outcome("alice", "192.0.2.1", PASSWORD)
    assert "alice" == outcome("alice", "192.0.2.2", PASSWORD)
    clock.advance(LONGEST_WAIT_PER_ADDRESS)
    assert "alice" == outcome("alice", "192.0.2.1", PASSWORD)
    for local in ("127.0.0.1", "::1"):
        assert {"InvalidCredentialsError"} == {outcome(f"m{n}", local) for n in range(60)}


async def test_refuses_to_let_strangers_flood_the_log(house: Door) -> None:
    for n in range(100):
        assert 401 == (await house.get("", f"name{n}", "x")).status
    with house.database.read() as connection:
        failed = audit.read(connection, only=audit.Filter(kinds=("LoginFailed",)))
    assert 30 == len(failed)
    assert {""} == {entry.details()["name"] for entry in failed}


async def test_a_password_grant_works_and_says_its_scope(house: Door) -> None:
    form = {
        "grant_type": "password",
        "service": "registry",
        "client_id": "containerd",
        "username": "alice",
        "password": PASSWORD,
        "scope": "repository:team/app:pull repository:other/app:pull",
    }
    response = await house.client.post("/token", data=form)
    body = await response.json()
    assert (200, "repository:team/app:pull") == (response.status, body["scope"])
    assert {"team/app": {Action.PULL}} == house.tokens.verify(body["access_token"]).access
    assert 401 == (await house.client.post("/token", data={**form, "password": "wrong"})).status


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 400),
        ({}, 400),
        ({"grant_type": "password", "padding": "x" * 20_000}, 413),
    ],
)
async def test_refuses_other_grants(house: Door, form: dict[str, str], expected: int) -> None:
    assert expected == (await house.client.post("/token", data=form)).status


async def test_refuses_forms_with_two_meanings(house: Door) -> None:
    for data in ("grant_type=password&username=alice&username=boss", "%ff=%ff", "{}"):
        response = await house.client.post(
            "/token", data=data, headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
        assert 400 == response.status
    assert 400 == (await house.client.post("/token", json={"grant_type": "password"})).status


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("repository:team/app:pull,push", {"team/app": {Action.PULL, Action.PUSH}}),
        ("repository(plugin):team/app:pull", {"team/app": {Action.PULL}}),
        ("repository:team/app:*", {"team/app": ALL}),
        ("repository:team/app:", {"team/app": frozenset()}),
        ("repository:team/app:pull,fly", {"team/app": {Action.PULL}}),
        ("repository:host:5000/app:pull", {}),
        ("repository:Team/App:pull", {}),
        ("repository:../app:pull", {}),
        ("repository:*:pull", {}),
        ("registry:catalog:*", {}),
        ("", {}),
        ("  ", {}),
    ],
)
def test_scopes_are_read_from_both_ends(scope: str, expected: dict[str, set[Action]]) -> None:
    assert expected == door.parse_scopes([scope])


@pytest.mark.parametrize(
    "scope",
    ["repository", "repository:x", ":x:pull", "repository::pull", "a:b:PULL", "a:b:pull,,push",
     "repository:" + "x" * 600 + ":pull", "re\npo:a:pull"],
)  # fmt: skip
def test_refuses_scopes_that_do_not_parse(scope: str) -> None:
    with pytest.raises(InvalidInputError):
        door.parse_scopes([scope])


def test_refuses_too_many_scopes() -> None:
    with pytest.raises(LimitError):
        door.parse_scopes([f"repository:a{n}:pull" for n in range(door.MAX_SCOPES + 1)])


@given(st.lists(st.text(max_size=40), max_size=4))
def test_any_text_is_a_scope_or_refused(texts: list[str]) -> None:
    try:
        asked = door.parse_scopes(texts)
    except (InvalidInputError, LimitError):
        return
    assert all(actions <= ALL for actions in asked.values())
