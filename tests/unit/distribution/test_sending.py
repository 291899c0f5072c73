"""Blobs on their way out: by the kernel, over TLS, to receivers that are slow or leave."""

import asyncio
import hashlib
import os
import socket
import ssl

import aiohttp
import pytest
import uvloop
from aiohttp import web

from seawall.blobs.filesystem import FilesystemBlobs
from seawall.core import actor as actors
from seawall.core.clock import SystemClock
from seawall.distribution import routes, sending
from seawall.identity.certificates import Certificates
from seawall.identity.model import ALL_ACTIONS
from seawall.ingress import server, tls
from seawall.registry import Registry
from seawall.testing.blobs import MemoryBlobs
from seawall.testing.callers import FakeAuthenticator
from seawall.testing.registry_doors import serve_door

LARGE = os.urandom(1_000_000) * 30
OPERATOR = actors.operator("root")


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request):
    """Run a coroutine on either kind of loop."""
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def run(coroutine):
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(coroutine)

    return run


def open_files():
    return len(os.listdir("/proc/self/fd"))


async def until_open_files(most):
    async with asyncio.timeout(20):
        while open_files() > most:
            await asyncio.sleep(0)


def test_large_blobs_come_back_on_either_loop_one_after_the_other(run, database, tmp_path):
    async def main():
        async with serve_door(database, FilesystemBlobs(tmp_path / "s"), SystemClock()) as door:
            door.callers.add("alice", {"a": ALL_ACTIONS})
            path = f"/v2/a/blobs/{await door.push_blob('a', LARGE)}"
            for _ in range(3):
                reply = await door.request("GET", path)
                assert hashlib.sha256(LARGE).digest() == hashlib.sha256(reply.body).digest()
            part = await door.request("GET", path, headers={"Range": "bytes=999999-25000000"})
            assert LARGE[999_999:25_000_001] == part.body
            await asyncio.gather(*(door.request("GET", path) for _ in range(8)))

    run(main())


def test_large_blobs_come_back_from_a_store_without_files(run, database):
    async def main():
        async with serve_door(database, MemoryBlobs(), SystemClock()) as door:
            door.callers.add("alice", {"a": ALL_ACTIONS})
            digest = await door.push_blob("a", LARGE)
            assert LARGE == (await door.request("GET", f"/v2/a/blobs/{digest}")).body

    run(main())


def test_large_blobs_come_back_over_tls(run, database, tmp_path):
    certificates = Certificates(database, SystemClock(), tmp_path / "certificates")
    pair = certificates.server_certificate(["localhost"])
    callers = FakeAuthenticator()
    callers.add("alice", {"a": ALL_ACTIONS})
    registry = Registry(database, FilesystemBlobs(tmp_path / "s"), SystemClock())
    app = web.Application()
    app.add_routes(routes(registry, callers))

    async def main():
        trust = ssl.create_default_context(cafile=str(pair.authority))
        proof = {"Authorization": "Bearer alice"}
        async with (
            server.serve(
                app, host="127.0.0.1", port=0, ssl_context=tls.server_context(pair.pair)
            ) as listening,
            aiohttp.ClientSession(f"https://localhost:{listening.port}", headers=proof) as client,
        ):
            digest = f"sha256:{hashlib.sha256(LARGE).hexdigest()}"
            pushed = await client.post(
                f"/v2/a/blobs/uploads/?digest={digest}", data=LARGE, ssl=trust
            )
            assert 201 == pushed.status
            async with client.get(f"/v2/a/blobs/{digest}", ssl=trust) as response:
                assert LARGE == await response.read()

    run(main())


async def ask_and_read_nothing(door, path):
    """Return a socket with a small buffer that asked for a blob."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", door.port))
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alice\r\n\r\n"
    await loop.sock_sendall(client, head.encode())
    await loop.sock_recv(client, 100)
    return client


def test_a_receiver_that_stalls_is_cut_off_and_holds_no_thread(
    run, database, tmp_path, monkeypatch
):
    monkeypatch.setattr(sending, "STALL_LIMIT_S", 0.3)

    async def main():
        async with serve_door(database, FilesystemBlobs(tmp_path / "s"), SystemClock()) as door:
            door.callers.add("alice", {"a": ALL_ACTIONS})
            path = f"/v2/a/blobs/{await door.push_blob('a', LARGE)}"
            before = open_files()
            clients = [await ask_and_read_nothing(door, path) for _ in range(40)]
            # Meanwhile others are served, although there are more stalled receivers than threads.
            assert 200 == (await door.request("GET", path)).status
            await until_open_files(before + len(clients) + 2)
            for client in clients:
                client.close()

    run(main())


def test_receivers_that_leave_leak_nothing(run, database, tmp_path):
    async def main():
        async with serve_door(database, FilesystemBlobs(tmp_path / "s"), SystemClock()) as door:
            door.callers.add("alice", {"a": ALL_ACTIONS})
            path = f"/v2/a/blobs/{await door.push_blob('a', LARGE)}"
            before = open_files()
            for _ in range(30):
                (await ask_and_read_nothing(door, path)).close()
            await until_open_files(before + 2)
            assert LARGE == (await door.request("GET", path)).body

    run(main())
