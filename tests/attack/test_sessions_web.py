"""Login sessions of the pages: fixation, theft, forged requests, endings."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from seawall import audit
from seawall.core import actor as actors
from seawall.identity.errors import InvalidCredentialsError
from seawall.identity.sessions import MAX_PER_USER, Sessions
from seawall.identity.users import Users
from seawall.ingress import boundary, browser, sessions
from seawall.ingress.credentials import Credentials
from seawall.ingress.sessions import LoginSessions
from seawall.store import Database
from seawall.testing.callers import cheap_passwords
from seawall.testing.clocks import FakeClock

OPERATOR = actors.operator("root")
PASSWORD = "correct horse battery"
COOKIE = "__Host-seawall"


class Site:
    """A site of four routes, and a browser without a cookie jar of its own."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.database = database
        self.clock = clock
        self.users = Users(database, clock, hashing=cheap_passwords())
        self.kept = Sessions(database, clock)
        self.logins = LoginSessions(self.kept, Credentials(self.users, clock))
        self.client: TestClient[web.Request, web.Application]
        self.users.create("boss", PASSWORD, is_administrator=True, actor=OPERATOR)
        self.users.create("alice", PASSWORD, actor=OPERATOR)

    def app(self) -> web.Application:
        app = web.Application(
            middlewares=[boundary.answer_errors(), self.logins.middleware],
        )
        app.on_response_prepare.append(browser.add_security_headers)
        app.router.add_post("/login", self._login)
        app.router.add_post("/logout", self._logout)
        app.router.add_get("/", self._who)
        app.router.add_post("/change", self._change)
        app.router.add_get("/broken", self._broken)
        return app

    async def _login(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        response = web.Response(text="in")
        await self.logins.sign_in(
            request, response, name=str(form["name"]), password=str(form["password"])
        )
        return response

    async def _logout(self, request: web.Request) -> web.StreamResponse:
        response = web.Response(text="out")
        await self.logins.sign_out(request, response)
        return response

    async def _who(self, request: web.Request) -> web.StreamResponse:
        session = sessions.session_of(request)
        return web.Response(text=session.user.name if session else "nobody")

    async def _change(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text=sessions.require_administrator(request).user.name)

    async def _broken(self, request: web.Request) -> web.StreamResponse:
        raise RuntimeError("a secret detail")

    @property
    def origin(self) -> str:
        return f"http://{self.client.host}:{self.client.port}"

    async def login(self, name: str = "boss", password: str = PASSWORD, cookie: str = "") -> str:
        response = await self.post("/login", {"name": name, "password": password}, cookie=cookie)
        assert 200 == response.status
        return response.cookies[COOKIE].value

    async def post(
        self,
        path: str,
        form: dict[str, str],
        *,
        cookie: str = "",
        headers: dict[str, str] | None = None,
    ) -> ClientResponse:
        given = {"Origin": self.origin} if headers is None else headers
        if cookie:
            given = {**given, "Cookie": f"{COOKIE}={cookie}"}
        return await self.client.post(path, data=form, headers=given)

    async def who(self, cookie: str) -> str:
        response = await self.client.get("/", headers={"Cookie": f"{COOKIE}={cookie}"})
        return await response.text()

    def csrf(self, cookie: str) -> str:
        session = self.kept.find(cookie)
        assert session is not None
        return session.csrf.reveal()


@pytest.fixture
async def site(database: Database, clock: FakeClock) -> AsyncIterator[Site]:
    site = Site(database, clock)
    from aiohttp import DummyCookieJar

    async with TestClient(TestServer(site.app()), cookie_jar=DummyCookieJar()) as site.client:
        yield site


async def test_a_login_gives_a_cookie_that_no_other_site_and_no_script_can_use(site: Site) -> None:
    response = await site.post("/login", {"name": "boss", "password": PASSWORD})
    cookie = response.cookies[COOKIE]
    assert ("/", True, True, "Strict", "") == (
        cookie["path"],
        cookie["secure"],
        cookie["httponly"],
        cookie["samesite"],
        cookie["domain"],
    )
    assert "boss" == await site.who(cookie.value)


async def test_the_database_cannot_be_used_to_sign_in(site: Site) -> None:
    cookie = await site.login()
    with site.database.read() as connection:
        stored = str(connection.exec_driver_sql("SELECT * FROM identity_session").all())
    assert cookie not in stored


async def test_refuses_a_session_id_that_somebody_else_planted(site: Site) -> None:
    planted = "A" * 43
    cookie = await site.login(cookie=planted)
    assert planted != cookie
    assert "nobody" == await site.who(planted)


async def test_refuses_the_old_id_after_signing_in_again(site: Site) -> None:
    first = await site.login()
    response = await site.post(
        "/login",
        {"name": "alice", "password": PASSWORD, "csrf": site.csrf(first)},
        cookie=first,
    )
    assert "alice" == await site.who(response.cookies[COOKIE].value)
    assert "nobody" == await site.who(first)


async def test_refuses_a_session_after_logout(site: Site) -> None:
    cookie = await site.login()
    response = await site.post("/logout", {"csrf": site.csrf(cookie)}, cookie=cookie)
    assert 200 == response.status
    assert "" == response.cookies[COOKIE].value
    assert "nobody" == await site.who(cookie)


async def test_refuses_a_session_after_an_hour_without_use(site: Site) -> None:
    cookie = await site.login()
    site.clock.advance(dt.timedelta(minutes=59))
    assert "boss" == await site.who(cookie)
    site.clock.advance(dt.timedelta(minutes=59))
    assert "boss" == await site.who(cookie)
    site.clock.advance(dt.timedelta(minutes=61))
    assert "nobody" == await site.who(cookie)


async def test_refuses_a_session_after_twelve_hours_of_use(site: Site) -> None:
    cookie = await site.login()
    for _ in range(23):
        site.clock.advance(dt.timedelta(minutes=30))
        assert "boss" == await site.who(cookie)
    site.clock.advance(dt.timedelta(minutes=31))
    assert "nobody" == await site.who(cookie)


async def test_refuses_a_session_when_the_clock_is_set_back_before_it(site: Site) -> None:
    cookie = await site.login()
    site.clock.advance(dt.timedelta(days=-1))
    assert "nobody" == await site.who(cookie)


async def test_refuses_the_sessions_of_a_disabled_user_and_of_an_old_password(site: Site) -> None:
    alice, boss = await site.login("alice"), await site.login("boss")
    site.users.disable("alice", actor=OPERATOR)
    site.users.set_password("boss", "another horse entirely", actor=OPERATOR)
    assert ["nobody", "nobody"] == [await site.who(alice), await site.who(boss)]


async def test_refuses_to_begin_a_session_for_a_user_disabled_meanwhile(site: Site) -> None:
    alice = site.users.authenticate("alice", PASSWORD)
    site.users.disable("alice", actor=OPERATOR)
    with pytest.raises(InvalidCredentialsError):
        site.kept.begin(alice)


async def test_refuses_more_than_twenty_sessions_by_ending_the_oldest(site: Site) -> None:
    user = site.users.get("alice")
    cookies = []
    for _ in range(MAX_PER_USER + 1):
        cookies.append(site.kept.begin(user).reveal())
        site.clock.advance(dt.timedelta(seconds=1))
    assert site.kept.find(cookies[0]) is None
    assert all(site.kept.find(cookie) for cookie in cookies[1:])


@pytest.mark.parametrize("cookie", ["", "x", "A" * 43, "A" * 65, "é", "'; DROP TABLE users --"])
async def test_refuses_any_other_cookie(site: Site, cookie: str) -> None:
    assert site.kept.find(cookie) is None


async def test_a_genuine_form_is_accepted(site: Site) -> None:
    cookie = await site.login()
    form = {"csrf": site.csrf(cookie)}
    for headers in (
        {"Origin": site.origin},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Origin": site.origin, "Sec-Fetch-Site": "same-origin"},
    ):
        response = await site.post("/change", form, cookie=cookie, headers=headers)
        assert (200, "boss") == (response.status, await response.text())
    response = await site.post(
        "/change", {}, cookie=cookie, headers={"Origin": site.origin, "X-CSRF-Token": form["csrf"]}
    )
    assert 200 == response.status


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.test"},
        {"Referer": "http://127.0.0.1/"},
    ],
)
async def test_refuses_forms_from_elsewhere(site: Site, headers: dict[str, str]) -> None:
    cookie = await site.login()
    form = {"csrf": site.csrf(cookie)}
    assert 403 == (await site.post("/change", form, cookie=cookie, headers=headers)).status
    login = {"name": "boss", "password": PASSWORD}
    assert 403 == (await site.post("/login", login, headers=headers)).status


async def test_refuses_forms_without_the_sessions_own_secret(site: Site) -> None:
    cookie, other = await site.login(), await site.login("alice")
    for form in ({}, {"csrf": ""}, {"csrf": "x"}, {"csrf": "é"}, {"csrf": site.csrf(other)}):
        assert 403 == (await site.post("/change", form, cookie=cookie)).status


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
async def test_refuses_every_other_method_without_the_secret(site: Site, method: str) -> None:
    cookie = await site.login()
    response = await site.client.request(
        method, "/change", headers={"Cookie": f"{COOKIE}={cookie}", "Origin": site.origin}
    )
    assert 403 == response.status


async def test_refuses_visitors_and_plain_users_what_administrators_may(site: Site) -> None:
    assert 401 == (await site.post("/change", {})).status
    cookie = await site.login("alice")
    response = await site.post("/change", {"csrf": site.csrf(cookie)}, cookie=cookie)
    assert 403 == response.status


async def test_refuses_guessing_at_the_login(site: Site) -> None:
    statuses = [
        (await site.post("/login", {"name": "boss", "password": f"{n}"})).status for n in range(9)
    ]
    assert [401] * 5 + [429] * 4 == statuses
    with site.database.read() as connection:
        kinds = [entry.kind for entry in audit.read(connection)]
    assert 3 == kinds.count("LoginFailed")
    assert 0 == kinds.count("LoginSucceeded")


async def test_every_answer_carries_the_security_headers(site: Site) -> None:
    for path, status in (("/", 200), ("/nothing", 404), ("/broken", 500)):
        response = await site.client.get(path)
        assert status == response.status
        assert (
            "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
            "frame-ancestors 'none'; base-uri 'none'"
        ) == response.headers["Content-Security-Policy"]
        assert "nosniff" == response.headers["X-Content-Type-Options"]
        assert "no-referrer" == response.headers["Referrer-Policy"]
        assert "no-store" == response.headers["Cache-Control"]
        assert "same-origin" == response.headers["Cross-Origin-Opener-Policy"]
        assert "same-origin" == response.headers["Cross-Origin-Resource-Policy"]


async def test_refuses_to_show_what_went_wrong_inside(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    body = await (await site.client.get("/broken")).text()
    assert "secret detail" not in body
    number = body.partition("the number ")[2][:32]
    assert number in caplog.text
    assert "a secret detail" in caplog.text
