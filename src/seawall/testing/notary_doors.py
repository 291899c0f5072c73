"""The door of content trust on a loopback port, with the fake authenticator, and a client."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from multidict import CIMultiDictProxy
from yarl import URL

from seawall.core.clock import SystemClock
from seawall.ingress import server
from seawall.notary import routes, shortcut
from seawall.notary.parts import Uploads
from seawall.testing.callers import FakeAuthenticator
from seawall.trust.trees import Trees
from seawall.trust.tuf.names import Gun

BOUNDARY = "a0b1c2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def error(self) -> dict[str, object]:
        """The one error of a refusal, which must be one that stock clients read."""
        assert len(self.body) <= 1024
        (entry,) = json.loads(self.body)["errors"]
        assert isinstance(entry, dict)
        return entry


class NotaryDoor:
    """A served door. Callers are named by their token: `who="ada"` sends `Bearer ada`."""

    def __init__(
        self, trees: Trees, callers: FakeAuthenticator, port: int, session: aiohttp.ClientSession
    ) -> None:
        self.trees = trees
        self.callers = callers
        self.port = port
        self._session = session

    async def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        who: str | None = "ada",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request; `path` goes out as it is."""
        proof = {"Authorization": f"Bearer {who}"} if who else {}
        url = URL(f"http://127.0.0.1:{self.port}{path}", encoded=True)
        async with self._session.request(
            method, url, data=body, headers={**proof, **(headers or {})}, allow_redirects=False
        ) as response:
            return Reply(
                status=response.status, headers=response.headers, body=await response.read()
            )

    async def get(self, gun: Gun, name: str, *, who: str | None = "ada") -> Reply:
        return await self.request("GET", f"/v2/{gun}/_trust/tuf/{name}", who=who)

    async def publish(
        self, gun: Gun, files: Mapping[str, bytes], *, who: str | None = "ada"
    ) -> Reply:
        """Upload files as stock clients do."""
        return await self.post(gun, multipart(files), who=who)

    async def post(self, gun: Gun, body: bytes, *, who: str | None = "ada") -> Reply:
        kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        return await self.request("POST", f"/v2/{gun}/_trust/tuf/", body, who=who, headers=kind)


def multipart(files: Mapping[str, bytes]) -> bytes:
    """Return an upload as stock clients write it."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
        + content
        + b"\r\n"
        for name, content in files.items()
    ]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


@contextlib.asynccontextmanager
async def serve_notary(trees: Trees, uploads: Uploads | None = None) -> AsyncIterator[NotaryDoor]:
    """Serve these trees for as long as the block runs."""
    callers = FakeAuthenticator()
    app = web.Application()
    short = shortcut(trees, callers, clock=SystemClock(), has_browser_fields=False)
    app.add_routes(routes(trees, callers, uploads))
    async with (
        server.serve(app, host="127.0.0.1", port=0, ssl_context=None, shortcut=short) as listening,
        aiohttp.ClientSession() as session,
    ):
        yield NotaryDoor(trees, callers, listening.port, session)
