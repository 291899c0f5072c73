"""The web process as it is served: log in with a real password and read the pages."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from seawall.app import processes
from seawall.ingress.sessions import COOKIE
from seawall.testing.houses import LIN_PHRASE, OPERATOR, OTHER, SHOP, Stage, image


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage.opened(tmp_path) as stage:
        yield stage.with_signed_shop()


@pytest.fixture
async def client(stage: Stage) -> AsyncIterator[TestClient]:
    async with TestClient(TestServer(processes.web_application(stage.house))) as client:
        yield client


async def log_in(client: TestClient, name: str, password: str) -> dict[str, str]:
    """Return the headers that carry the session; the cookie is for https only."""
    form = await (await client.get("/login")).text()
    hidden = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
    origin = str(URL(str(client.make_url("/"))).origin())
    answer = await client.post(
        "/login",
        data={**hidden, "name": name, "password": password},
        headers={"Origin": origin},
        allow_redirects=False,
    )
    assert 303 == answer.status
    return {"Cookie": f"{COOKIE}={answer.cookies[COOKIE].value}"}


async def test_an_administrator_reads_every_page(stage: Stage, client: TestClient) -> None:
    phrase = "correct horse battery"
    stage.house.users.create("ada", phrase, is_administrator=True, actor=OPERATOR)
    session = await log_in(client, "ada", phrase)

    for path, shown in (
        ("/", "shop/app"),
        ("/images/shop/app/-/1", "BEGIN PUBLIC KEY"),
        (f"/images/shop/app/-/{image().digest}", "nothing-fixable"),
        ("/audit?kind=ReportMade", "scanned 2 packages"),
    ):
        answer = await client.get(path, headers=session)
        assert (200, True) == (answer.status, shown in await answer.text()), path


async def test_a_user_with_few_rights_reads_few_things(stage: Stage, client: TestClient) -> None:
    stage.push(OTHER, image(), "x")
    session = await log_in(client, "lin", LIN_PHRASE)

    overview = await (await client.get("/", headers=session)).text()
    assert ("other/app" in overview, str(SHOP) in overview) == (True, False)
    statuses = {
        path: (await client.get(path, headers=session)).status
        for path in ("/images/other/app/-/x", "/images/shop/app/-/1", "/audit")
    }
    assert [200, 404, 403] == list(statuses.values())


async def test_the_registry_is_served_beside_the_pages(client: TestClient) -> None:
    assert 401 == (await client.get("/v2/")).status
    assert "/login" in (await client.get("/", allow_redirects=False)).headers["Location"]
