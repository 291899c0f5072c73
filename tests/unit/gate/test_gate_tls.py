"""TLS whose directions end independently."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from seawall.gate import tls
from seawall.gate.streams import PlainStream, Stream
from seawall.gate.tls import TlsFiles, TlsStream
from seawall.testing.certificates import Authority


class Ends:
    """The two ends of a connection; `sockets` are below them."""

    def __init__(self, left: Stream, right: Stream, sockets: tuple[socket.socket, socket.socket]):
        self.left, self.right, self.sockets = left, right, sockets


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    directory = tmp_path_factory.mktemp("certificates")
    authority = Authority(directory)
    server, client = authority.issue("server"), authority.issue("client")
    files = TlsFiles(
        certificate=server.certificate, key=server.key, client_ca=authority.certificate
    )
    client_context = ssl.create_default_context(cafile=str(authority.certificate))
    client_context.load_cert_chain(client.certificate, client.key)
    return tls.server_context(files), client_context


@pytest.fixture(params=["plain", "tls"])
async def ends(
    request: pytest.FixtureRequest, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> AsyncIterator[Ends]:
    sockets = socket.socketpair()
    raw = [PlainStream(each) for each in sockets]
    left: Stream = raw[0]
    right: Stream = raw[1]
    if request.param == "tls":
        server = TlsStream(raw[0], contexts[0])
        client = TlsStream(raw[1], contexts[1], server_hostname="localhost")
        await asyncio.gather(server.handshake(), client.handshake())
        assert server.peer_certificate
        left, right = server, client
    yield Ends(left, right, sockets)
    left.close()
    right.close()


async def read_all(stream: Stream) -> bytes:
    data = bytearray()
    while piece := await stream.receive():
        data += piece
    return bytes(data)


async def test_each_direction_ends_by_itself(ends: Ends) -> None:
    await ends.right.send(b"question")
    await ends.right.send_eof()
    assert b"question" == await read_all(ends.left)
    await ends.left.send(b"answer")
    await ends.left.send_eof()
    assert b"answer" == await read_all(ends.right)


async def test_input_that_waits_survives_the_end_of_our_direction(ends: Ends) -> None:
    await ends.right.send(b"first")
    await ends.right.send(b"second")
    assert b"first" == await ends.left.receive(5)
    await ends.left.send_eof()
    await ends.right.send(b"third")
    await ends.right.send_eof()
    assert b"secondthird" == await read_all(ends.left)
    assert b"" == await read_all(ends.right)


async def test_megabytes_pass_both_ways_at_once(ends: Ends) -> None:
    content = bytes(range(256)) * 12_000

    async def say(stream: Stream) -> None:
        await stream.send(content)
        await stream.send_eof()

    _, _, left, right = await asyncio.gather(
        say(ends.left), say(ends.right), read_all(ends.left), read_all(ends.right)
    )
    assert left == right == content


async def test_refuses_to_take_a_cut_for_an_orderly_end(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    sockets = socket.socketpair()
    server = TlsStream(PlainStream(sockets[0]), contexts[0])
    client = TlsStream(PlainStream(sockets[1]), contexts[1], server_hostname="localhost")
    await asyncio.gather(server.handshake(), client.handshake())
    await client.send(b"half of it")
    sockets[1].shutdown(socket.SHUT_WR)  # without close_notify
    assert b"half of it" == await server.receive()
    with pytest.raises(ConnectionAbortedError):
        await server.receive()
    server.close()
    client.close()


async def test_a_sender_waits_while_the_peer_does_not_read(ends: Ends) -> None:
    sending = asyncio.create_task(ends.left.send(b"x" * 8_000_000))
    for _ in range(100):
        await asyncio.sleep(0)
    assert not sending.done()
    received = 0
    while received < 8_000_000:
        received += len(await ends.right.receive())
    await sending


async def test_refuses_to_send_after_a_send_that_was_cancelled(ends: Ends) -> None:
    sending = asyncio.create_task(ends.left.send(b"x" * 8_000_000))
    for _ in range(10):
        await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    with pytest.raises(ConnectionAbortedError):
        await ends.left.send(b"more")
    await ends.right.send(b"still heard")
    assert b"still heard" == await ends.left.receive()


async def test_cancelling_a_receive_loses_nothing(ends: Ends) -> None:
    for number in range(200):
        reading = asyncio.create_task(ends.left.receive())
        await asyncio.sleep(0)
        await ends.right.send(b"%03d" % number)
        for _ in range(number % 4):
            await asyncio.sleep(0)
        reading.cancel()
        try:
            got = await reading
        except asyncio.CancelledError:
            got = await ends.left.receive()
        assert b"%03d" % number == got


async def test_refuses_a_handshake_that_takes_too_long(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    left, right = socket.socketpair()
    server = TlsStream(PlainStream(left), contexts[0])
    with pytest.raises(TimeoutError):
        await server.handshake(deadline_s=0.05)
    server.close()
    right.close()


async def _shake(server_context: ssl.SSLContext, client_context: ssl.SSLContext) -> None:
    left, right = socket.socketpair()
    server = TlsStream(PlainStream(left), server_context)
    client = TlsStream(PlainStream(right), client_context, server_hostname="localhost")
    try:
        await asyncio.gather(server.handshake(2), client.handshake(2))
        await client.receive()
    finally:
        server.close()
        client.close()


def _without_certificate(directory: Path, authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.certificate))


def _of_another_authority(directory: Path, authority: Authority) -> ssl.SSLContext:
    context = _without_certificate(directory, authority)
    stranger = Authority(directory / "other").issue("mallory")
    context.load_cert_chain(stranger.certificate, stranger.key)
    return context


def _in_tls_1_1(directory: Path, authority: Authority) -> ssl.SSLContext:
    context = _without_certificate(directory, authority)
    client = authority.issue("old")
    context.load_cert_chain(client.certificate, client.key)
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


@pytest.mark.parametrize("make", [_without_certificate, _of_another_authority, _in_tls_1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_refuses_clients_that_do_not_prove_who_they_are(
    tmp_path: Path, make: Callable[[Path, Authority], ssl.SSLContext]
) -> None:
    authority = Authority(tmp_path)
    server = authority.issue("server")
    context = tls.server_context(
        TlsFiles(certificate=server.certificate, key=server.key, client_ca=authority.certificate)
    )
    with pytest.raises(OSError):  # noqa: PT011 - ssl.SSLError or a reset, by version of OpenSSL
        await _shake(context, make(tmp_path, authority))
