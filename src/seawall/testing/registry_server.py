"""The doors of registry and content trust in a process of its own, over plain HTTP.

With real users and tokens.

    python -m seawall.testing.registry_server DIRECTORY PORT [RESERVE_BYTES]

State stays in DIRECTORY: a second process there goes on where a killed one ended. User `alice` may
do everything; everyone may pull from `public/*`.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop
from aiohttp import web

from seawall import notary
from seawall.blobs.filesystem import RESERVE_BYTES, FilesystemBlobs
from seawall.core import actor as actors
from seawall.core.clock import SystemClock
from seawall.core.errors import ConflictError
from seawall.distribution import routes
from seawall.distribution.tokens import TokenService, token_routes
from seawall.identity.grants import Grants
from seawall.identity.model import ALL_ACTIONS, Action
from seawall.identity.standing import Standing
from seawall.identity.tokens import SigningKey, Tokens
from seawall.identity.users import Users
from seawall.ingress import server
from seawall.ingress.bearer import BearerAuthenticator
from seawall.ingress.credentials import Credentials
from seawall.ingress.shortcuts import Shortcut
from seawall.registry import Registry
from seawall.store import Database
from seawall.testing.callers import cheap_passwords
from seawall.testing.databases import fresh_database
from seawall.trust.server_keys import ServerKeys
from seawall.trust.trees import Trees

USER: Final = "alice"
PASSWORD: Final = "correct horse battery"  # noqa: S105
SERVICE: Final = "registry"
START_TIMEOUT_S: Final = 30.0

_OPERATOR: Final = actors.operator("test")


def application(
    directory: Path, database: Database, address: str, reserve_bytes: int = RESERVE_BYTES
) -> tuple[web.Application, Shortcut]:
    """Compose the doors as the web process does; `address` is host:port."""
    clock, hosts = SystemClock(), frozenset({address})
    users = Users(database, clock, hashing=cheap_passwords())
    grants = Grants(database, clock)
    with contextlib.suppress(ConflictError):
        users.create(USER, PASSWORD, actor=_OPERATOR)
    grants.grant(USER, "**", ALL_ACTIONS, actor=_OPERATOR)
    grants.grant("anonymous", "public/*", {Action.PULL}, actor=_OPERATOR)
    tokens = Tokens(
        key=SigningKey.open(directory / "token.pem"),
        issuer=f"http://{address}",
        audience=SERVICE,
        standing=Standing(database, clock),
        clock=clock,
    )
    authenticator = BearerAuthenticator(
        tokens=tokens, grants=grants, realm=f"http://{address}/token", service=SERVICE
    )
    service = TokenService(
        credentials=Credentials(users, clock),
        grants=grants,
        tokens=tokens,
        service=SERVICE,
        hosts=hosts,
    )
    keys = ServerKeys.open(directory)
    blobs = FilesystemBlobs(directory / "store", clock=clock, reserve_bytes=reserve_bytes)
    app = web.Application()
    app.add_routes(token_routes(service))
    trees = Trees(database, clock, keys, hosts=hosts)
    app.add_routes(notary.routes(trees, authenticator))
    app.add_routes(routes(Registry(database, blobs, clock), authenticator))
    shortcut = notary.shortcut(trees, authenticator, clock=clock, has_browser_fields=False)
    return app, shortcut


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryProcess:
    """A running server. `address` is host:port."""

    process: subprocess.Popen[bytes]
    address: str

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def registry_process(
    directory: Path, *, port: int = 0, reserve_bytes: int = RESERVE_BYTES
) -> Iterator[RegistryProcess]:
    """Run the server until the block ends. Port 0 takes a free one."""
    directory.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    command = [sys.executable, "-m", __name__, str(directory), str(port), str(reserve_bytes)]
    with (directory / "server.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
    running = RegistryProcess(process=process, address=f"localhost:{port}")
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if line != b"ready\n":
            raise RuntimeError((directory / "server.log").read_text()[-4000:])
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(START_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            running.kill()
        if process.stdout is not None:
            process.stdout.close()


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _serve(directory: Path, port: int, reserve_bytes: int) -> None:
    path = directory / "test.sqlite"
    database = Database.open_file(path) if path.exists() else fresh_database(directory)
    app, shortcut = application(directory, database, f"localhost:{port}", reserve_bytes)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with server.serve(app, host="127.0.0.1", port=port, ssl_context=None, shortcut=shortcut):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await stopped.wait()
    database.close()


if __name__ == "__main__":
    uvloop.run(_serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
