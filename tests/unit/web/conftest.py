"""The pages behind aiohttp's test client, with fakes behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import ClientResponse, CookieJar, web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from seawall.ingress.boundary import answer_errors
from seawall.testing.clocks import FakeClock
from seawall.testing.page_samples import NOW
from seawall.testing.pages import FakeLogins, SamplePages
from seawall.web import failures, routes

Client = TestClient[web.Request, web.Application]


@dataclass
class Reader:
    """A browser without scripts: keeps the cookie, follows nothing by itself."""

    client: Client
    pages: SamplePages
    logins: FakeLogins
    cookie: str = ""

    @property
    def origin(self) -> str:
        return f"http://{self.client.host}:{self.client.port}"

    async def get(self, path: str, **headers: str) -> ClientResponse:
        url = URL(f"{self.origin}{path}", encoded=True)
        return await self.client.session.get(
            url, headers={**self._headers(), **headers}, allow_redirects=False
        )

    async def post(
        self, path: str, fields: dict[str, str] | list[tuple[str, str]] | bytes, **headers: str
    ) -> ClientResponse:
        sent = {**self._headers(), "Origin": self.origin, **headers}
        return await self.client.session.post(
            f"{self.origin}{path}",
            data=fields,
            headers={name: value for name, value in sent.items() if value},
            allow_redirects=False,
        )

    async def log_in(self, name: str = "ada", password: str = "correct horse") -> ClientResponse:
        answer = await self.post("/login", {"name": name, "password": password})
        if "__Host-seawall" in answer.cookies:
            self.cookie = answer.cookies["__Host-seawall"].value
        return answer

    def _headers(self) -> dict[str, str]:
        return {"Cookie": f"__Host-seawall={self.cookie}"} if self.cookie else {}


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    pages, logins = SamplePages(), FakeLogins()
    app = web.Application(middlewares=[answer_errors(failures.render)])
    app.add_routes(routes(pages, logins, clock=FakeClock(NOW)))
    # Cookies are carried by hand: a `__Host-` cookie is Secure, and the test client speaks http.
    async with TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True)) as client:
        yield Reader(client=client, pages=pages, logins=logins)


@pytest.fixture
async def ada(reader: Reader) -> Reader:
    """A reader who is logged in as an administrator."""
    answer = await reader.log_in()
    assert answer.status == 303
    return reader
