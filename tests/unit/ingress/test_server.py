"""The server itself, on uvloop, with TLS, spoken to in raw bytes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop
from aiohttp import web

from seawall.core import actor as actors
from seawall.core.clock import SystemClock
from seawall.core.errors import UnavailableError
from seawall.identity.certificates import Certificates
from seawall.identity.users import Users
from seawall.ingress import server, tls
from seawall.ingress.watchdog import Limits
from seawall.store import Database
from seawall.testing.callers import cheap_passwords

OPERATOR = actors.operator("root")
QUICK = Limits(
    head_seconds=0.1,
    tick_seconds=0.02,
    body_window_seconds=0.2,
    body_min_bytes=1000,
    connections_per_address=3,
    shutdown_seconds=1,
)
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def app() -> web.Application:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text=f"{len(await request.read())}")

    app = web.Application()
    app.router.add_route("*", "/", hello)
    return app


def on_uvloop(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await test()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


async def exchange(port: int, sent: bytes, **tls: object) -> bytes:
    """Send and return all that comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, **tls)  # type: ignore[arg-type]
    try:
        writer.write(sent)
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.fixture
def certificates(database: Database, tmp_path: Path) -> Certificates:
    users = Users(database, SystemClock(), hashing=cheap_passwords())
    users.create("alice", "correct horse battery", actor=OPERATOR)
    return Certificates(database, SystemClock(), tmp_path / "certificates")


def trusting(certificates: Certificates) -> ssl.SSLContext:
    path = certificates.server_certificate(["localhost", "127.0.0.1"]).authority
    return ssl.create_default_context(cafile=str(path))


def test_serves_and_keeps_the_connection_for_the_next_request() -> None:
    async def test() -> None:
        async with server.serve(app(), host="127.0.0.1", port=0, ssl_context=None) as listening:
            two = GET + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
            answer = await exchange(listening.port, two)
        assert 2 == answer.count(b"HTTP/1.1 200 OK")

    on_uvloop(test)


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_a_head_that_never_ends_is_cut_off(start: bytes) -> None:
    async def test() -> None:
        async with server.serve(
            app(), host="127.0.0.1", port=0, ssl_context=None, limits=QUICK
        ) as listening:
            assert b"" == await exchange(listening.port, start)

    on_uvloop(test)


def test_a_body_that_stops_coming_is_cut_off() -> None:
    async def test() -> None:
        async with server.serve(
            app(), host="127.0.0.1", port=0, ssl_context=None, limits=QUICK
        ) as listening:
            head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc"
            assert b"" == await exchange(listening.port, head)

    on_uvloop(test)


@pytest.mark.parametrize("loop_factory", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_slow_senders_and_takers_are_cut_off_over_tls_too(
    certificates: Certificates,
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
    caplog: pytest.LogCaptureFixture,
) -> None:
    pair = certificates.server_certificate(["localhost", "127.0.0.1"]).pair
    limits = replace(QUICK, answer_stall_seconds=0.2)
    served = app()
    cut_off = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(bytes(65_536))
        finally:
            cut_off.set()

    served.router.add_get("/endless", endless)

    async def test() -> None:
        async with server.serve(
            served,
            host="127.0.0.1",
            port=0,
            ssl_context=tls.server_context(pair),
            limits=limits,
        ) as listening:
            trust = trusting(certificates)
            assert b"" == await exchange(listening.port, b"GET / HT", ssl=trust)
            body = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc"
            assert b"" == await exchange(listening.port, body, ssl=trust)
            _, writer = await asyncio.open_connection(
                "127.0.0.1", listening.port, ssl=trust, limit=1024
            )
            writer.write(GET.replace(b"/ ", b"/endless "))
            await asyncio.wait_for(cut_off.wait(), 5)
            writer.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(test())
    assert "" == caplog.text  # what any caller can cause is no error of ours


def test_one_address_has_a_bounded_number_of_connections() -> None:
    async def test() -> None:
        limits = Limits(connections_per_address=3, shutdown_seconds=1)
        async with server.serve(
            app(), host="127.0.0.1", port=0, ssl_context=None, limits=limits
        ) as listening:
            kept = [await asyncio.open_connection("127.0.0.1", listening.port) for _ in range(3)]
            for reader, writer in kept:
                writer.write(GET)
                assert b"HTTP/1.1 200 OK\r\n" == await reader.readline()
            assert b"" == await exchange(listening.port, GET)
            for _, writer in kept:
                writer.close()

    on_uvloop(test)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 17_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na",
        b"\x16\x03\x01\x00\x05hello",
    ],
)
def test_refuses_heads_that_are_too_large_or_ambiguous(head: bytes) -> None:
    async def test() -> None:
        async with server.serve(
            app(), host="127.0.0.1", port=0, ssl_context=None, limits=QUICK
        ) as listening:
            assert b" 400 " in (await exchange(listening.port, head)).partition(b"\r\n")[0]

    on_uvloop(test)


def test_a_token_of_eight_kilobytes_fits_into_a_header() -> None:
    async def test() -> None:
        async with server.serve(app(), host="127.0.0.1", port=0, ssl_context=None) as listening:
            head = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer "
            answer = await exchange(listening.port, head + b"x" * 8192 + b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200")

    on_uvloop(test)


def test_a_port_in_use_is_named_with_a_remedy() -> None:
    async def test() -> None:
        async with server.serve(app(), host="127.0.0.1", port=0, ssl_context=None) as one:
            with pytest.raises(UnavailableError, match=f"port {one.port}"):
                async with server.serve(app(), host="127.0.0.1", port=one.port, ssl_context=None):
                    pass

    on_uvloop(test)


def test_speaks_tls_that_a_client_trusts(certificates: Certificates) -> None:
    pair = certificates.server_certificate(["localhost", "127.0.0.1"]).pair

    async def test() -> None:
        async with server.serve(
            app(), host="127.0.0.1", port=0, ssl_context=tls.server_context(pair)
        ) as listening:
            close = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
            answer = await exchange(listening.port, close, ssl=trusting(certificates))
            assert answer.startswith(b"HTTP/1.1 200")

    on_uvloop(test)


def test_refuses_old_tls_and_plain_text(certificates: Certificates) -> None:
    pair = certificates.server_certificate(["localhost", "127.0.0.1"]).pair
    old = trusting(certificates)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1

    async def test() -> None:
        async with server.serve(
            app(), host="127.0.0.1", port=0, ssl_context=tls.server_context(pair), limits=QUICK
        ) as listening:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await exchange(listening.port, GET, ssl=old)
            assert b"200" not in await exchange(listening.port, GET)

    on_uvloop(test)


def test_a_client_certificate_is_demanded_and_can_be_asked_for_its_user(
    certificates: Certificates, tmp_path: Path
) -> None:
    pair = certificates.server_certificate(["localhost", "127.0.0.1"]).pair
    certificates.write_bundle(
        certificates.client_certificate("alice", actor=OPERATOR), tmp_path / "bundle"
    )
    context = tls.server_context(pair, client_authority=certificates.client_authority)

    async def who(request: web.Request) -> web.Response:
        assert request.transport is not None
        tls_object = request.transport.get_extra_info("ssl_object")
        return web.Response(text=str(certificates.user_of(tls_object.getpeercert(True))))

    async def test() -> None:
        app = web.Application()
        app.router.add_get("/", who)
        close = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        async with server.serve(
            app, host="127.0.0.1", port=0, ssl_context=context, limits=QUICK
        ) as listening:
            known = trusting(certificates)
            known.load_cert_chain(tmp_path / "bundle" / "cert.pem", tmp_path / "bundle" / "key.pem")
            assert (await exchange(listening.port, close, ssl=known)).endswith(b"alice")
            nobody = trusting(certificates)
            try:
                answer = await exchange(listening.port, close, ssl=nobody)
            except ssl.SSLError:
                answer = b""
            assert b"" == answer

    on_uvloop(test)


def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.pem").write_bytes(b"broken")
    for name in ("broken.pem", "missing.pem"):
        with pytest.raises(UnavailableError, match=name):
            tls.server_context(tmp_path / name)
