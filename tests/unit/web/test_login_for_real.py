"""The pages with the sessions, users and database that a real installation has."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator

import pytest
from aiohttp import CookieJar, web
from aiohttp.test_utils import TestClient, TestServer

from seawall.core import actor as actors
from seawall.identity.sessions import Sessions
from seawall.identity.users import Users
from seawall.ingress.credentials import Credentials
from seawall.ingress.sessions import LoginSessions
from seawall.store import Database
from seawall.testing.callers import cheap_passwords
from seawall.testing.clocks import FakeClock
from seawall.testing.pages import SamplePages
from seawall.web import routes

PASSWORD = "correct horse battery"


@pytest.fixture
async def client(database: Database, clock: FakeClock) -> AsyncIterator[TestClient]:
    users = Users(database, clock, hashing=cheap_passwords())
    users.create("ada", PASSWORD, is_administrator=True, actor=actors.operator("root"))
    logins = LoginSessions(Sessions(database, clock), Credentials(users, clock))
    app = web.Application()
    app.add_routes(routes(SamplePages(), logins, clock=clock))
    async with TestClient(TestServer(app), cookie_jar=CookieJar()) as client:
        yield client


def origin(client: TestClient) -> dict[str, str]:
    return {"Origin": f"http://{client.host}:{client.port}"}


async def log_in(client: TestClient, password: str = PASSWORD) -> str:
    answer = await client.post(
        "/login",
        data={"name": "ada", "password": password},
        headers=origin(client),
        allow_redirects=False,
    )
    return answer.cookies["__Host-seawall"].value if answer.status == 303 else ""


async def read(client: TestClient, cookie: str) -> tuple[int, str]:
    answer = await client.get(
        "/", headers={"Cookie": f"__Host-seawall={cookie}"}, allow_redirects=False
    )
    return answer.status, await answer.text()


async def test_a_session_reads_pages_and_its_own_token_ends_it(client: TestClient) -> None:
    cookie = await log_in(client)
    status, text = await read(client, cookie)
    csrf = text.split('name="csrf" value="')[1].split('"')[0]

    gone = await client.post(
        "/logout",
        data={"csrf": csrf},
        headers={"Cookie": f"__Host-seawall={cookie}", **origin(client)},
        allow_redirects=False,
    )

    assert (200, 303) == (status, gone.status)
    assert (await read(client, cookie))[0] == 303


async def test_a_wrong_password_opens_nothing(client: TestClient) -> None:
    assert await log_in(client, "wrong") == ""


async def test_refuses_to_end_a_session_with_another_sessions_token(client: TestClient) -> None:
    mine, other = await log_in(client), await log_in(client)
    _, text = await read(client, other)
    csrf = text.split('name="csrf" value="')[1].split('"')[0]

    answer = await client.post(
        "/logout",
        data={"csrf": csrf},
        headers={"Cookie": f"__Host-seawall={mine}", **origin(client)},
        allow_redirects=False,
    )

    assert answer.status == 403
    assert (await read(client, mine))[0] == 200


async def test_an_idle_session_is_asked_to_log_in_again(
    client: TestClient, clock: FakeClock
) -> None:
    cookie = await log_in(client)
    clock.advance(dt.timedelta(hours=2))

    assert (await read(client, cookie))[0] == 303


@pytest.mark.parametrize("cookie", ["", "x", "é", "a" * 5000, "../../etc", "'; DROP TABLE"])
async def test_refuses_a_cookie_that_was_never_given(client: TestClient, cookie: str) -> None:
    answer = await client.get(
        "/",
        headers={"Cookie": f"__Host-seawall={cookie}"},
        allow_redirects=False,
    )

    assert answer.status == 303


async def test_many_guesses_are_slowed_down(client: TestClient) -> None:
    answers = []
    for _ in range(12):
        answer = await client.post(
            "/login", data={"name": "ada", "password": "guess"}, headers=origin(client)
        )
        answers.append(answer.status)

    assert 401 == answers[0]
    assert 429 == answers[-1]
