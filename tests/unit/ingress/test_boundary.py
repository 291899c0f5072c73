"""What goes wrong inside becomes an answer, or nothing at all."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request

from seawall.core import errors
from seawall.identity.errors import InvalidCredentialsError, TooManyAttemptsError
from seawall.ingress import boundary, browser, server


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidInputError("x"), 400),
        (InvalidCredentialsError("x"), 401),
        (errors.DeniedError("x"), 403),
        (errors.NotFoundError("x"), 404),
        (errors.ConflictError("x"), 409),
        (errors.LimitError("x"), 413),
        (TooManyAttemptsError(dt.timedelta(seconds=3)), 429),
        (errors.IntegrityError("x"), 500),
        (errors.UnavailableError("x"), 503),
        (errors.SeawallError("x"), 500),
    ],
)
async def test_each_error_has_its_status_and_says_what_to_do(
    error: errors.SeawallError, status: int
) -> None:
    async def fail(_request: web.Request) -> web.Response:
        raise error

    app = web.Application(middlewares=[boundary.answer_errors()])
    app.router.add_get("/", fail)
    async with TestClient(TestServer(app)) as client:
        response = await client.get("/")
        body = await response.json()
    assert (status, error.code, error.message, error.remedy) == (
        response.status,
        body["code"],
        body["title"],
        body["detail"],
    )
    assert (status in (429, 503)) is ("Retry-After" in response.headers)


async def test_http_errors_keep_their_allow_and_redirects_pass() -> None:
    async def elsewhere(_request: web.Request) -> web.Response:
        raise web.HTTPSeeOther("/there")

    app = web.Application(middlewares=[boundary.answer_errors()])
    app.router.add_get("/", elsewhere)
    async with TestClient(TestServer(app)) as client:
        wrong = await client.post("/")
        assert (405, "GET, HEAD", "application/problem+json") == (
            wrong.status,
            wrong.headers["Allow"],
            wrong.content_type,
        )
        assert 303 == (await client.get("/", allow_redirects=False)).status


@pytest.mark.parametrize("sent", [b"", b"ab"])
async def test_an_answer_that_has_begun_is_cut_off_and_never_followed_by_another(
    sent: bytes,
) -> None:
    async def fail(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "500"})
        await response.prepare(request)
        if sent:
            await response.write(sent)
        raise errors.IntegrityError("the bytes are not those of the digest")

    app = web.Application(middlewares=[boundary.answer_errors()])
    app.router.add_get("/", fail)
    async with server.serve(app, host="127.0.0.1", port=0, ssl_context=None) as listening:
        reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            answer = await asyncio.wait_for(reader.read(), 5)
        except ConnectionError:
            answer = b""
        writer.close()
    assert answer.count(b"HTTP/1.1") <= 1
    assert b"500 Internal" not in answer


async def test_a_compressed_body_stays_as_it_was_sent() -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    app = web.Application()
    app.router.add_post("/", echo)
    async with server.serve(app, host="127.0.0.1", port=0, ssl_context=None) as listening:
        reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
        writer.write(
            b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Encoding: gzip\r\n"
            b"Content-Length: 8\r\n\r\nnot gzip"
        )
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"not gzip")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("registry.test", True),
        ("registry.test:8443", True),
        ("localhost:8443", False),
        ("[::1]:1", False),
    ],
)
async def test_hsts_is_set_for_real_hosts_only(host: str, expected: bool) -> None:
    request = make_mocked_request("GET", "/", headers={"Host": host}).clone(scheme="https")
    response = web.Response()
    await browser.add_security_headers(request, response)
    assert expected is ("Strict-Transport-Security" in response.headers)


async def test_what_a_door_says_about_caching_and_resources_stays() -> None:
    response = web.Response(
        headers={"Cache-Control": "max-age=60", "Content-Security-Policy": "default-src 'self'"}
    )
    await browser.add_security_headers(make_mocked_request("GET", "/"), response)
    assert "max-age=60" == response.headers["Cache-Control"]
    assert "default-src 'self'" == response.headers["Content-Security-Policy"]
    assert "nosniff" == response.headers["X-Content-Type-Options"]


async def test_the_middleware_for_one_part_of_an_application_adds_the_same_headers() -> None:
    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="page")

    part = web.Application(middlewares=[browser.security_headers, boundary.answer_errors()])
    part.router.add_get("/", page)
    app = web.Application()
    app.add_subapp("/part", part)
    async with TestClient(TestServer(app)) as client:
        for path in ("/part/", "/part/nothing"):
            headers = (await client.get(path)).headers
            assert browser.HEADERS.items() <= dict(headers).items()
