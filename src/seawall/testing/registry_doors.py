"""The registry's door on a loopback port, with the fake authenticator, and a client for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from multidict import CIMultiDictProxy
from yarl import URL

from seawall.blobs import BlobStore
from seawall.core.clock import Clock
from seawall.distribution import routes
from seawall.ingress import server
from seawall.ingress.watchdog import Limits
from seawall.oci.digest import Digest
from seawall.registry import Registry
from seawall.store import Database
from seawall.testing.callers import FakeAuthenticator
from seawall.testing.images import Image, walk


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes


class Door:
    """A served registry. Callers are named by their token: `who="alice"` sends `Bearer alice`."""

    def __init__(
        self,
        registry: Registry,
        callers: FakeAuthenticator,
        port: int,
        session: aiohttp.ClientSession,
    ) -> None:
        self.registry = registry
        self.callers = callers
        self.port = port
        self._session = session

    async def request(
        self,
        method: str,
        path: str,
        body: bytes | AsyncIterator[bytes] | None = None,
        *,
        who: str | None = "alice",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request; `path` goes out as it is."""
        proof = {"Authorization": f"Bearer {who}"} if who else {}
        url = URL(f"http://127.0.0.1:{self.port}{path}", encoded=True)
        async with self._session.request(
            method,
            url,
            data=body,
            headers={**proof, **(headers or {})},
            allow_redirects=False,
            skip_auto_headers=("Content-Type", "Accept", "Accept-Encoding"),
        ) as response:
            return Reply(
                status=response.status, headers=response.headers, body=await response.read()
            )

    async def raw(self, sent: bytes, *, within: float = 5) -> bytes:
        """Send bytes as they are and return all that comes until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(sent)
            return await asyncio.wait_for(reader.read(), within)
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def push_blob(self, repository: str, content: bytes) -> Digest:
        digest = Digest.of(content)
        path = f"/v2/{repository}/blobs/uploads/?digest={digest}"
        reply = await self.request("POST", path, content)
        assert reply.status == 201, reply
        return digest

    async def push(self, repository: str, image: Image, *tags: str) -> Digest:
        """Push everything of an image, children first, and the image itself under `tags`."""
        for one in walk(image):
            for content in one.blobs.values():
                await self.push_blob(repository, content)
            query = "&".join(f"tag={tag}" for tag in tags) if one is image else ""
            path = f"/v2/{repository}/manifests/{one.digest}?{query}"
            reply = await self.request(
                "PUT", path, one.manifest, headers={"Content-Type": one.media_type}
            )
            assert reply.status == 201, reply
        return image.digest


@contextlib.asynccontextmanager
async def serve_door(
    database: Database, blobs: BlobStore, clock: Clock, *, limits: Limits | None = None
) -> AsyncIterator[Door]:
    """Serve a registry for as long as the block runs."""
    registry, callers = Registry(database, blobs, clock), FakeAuthenticator()
    app = web.Application()
    app.add_routes(routes(registry, callers))
    async with (
        server.serve(app, host="127.0.0.1", port=0, ssl_context=None, limits=limits) as listening,
        aiohttp.ClientSession() as session,
    ):
        yield Door(registry, callers, listening.port, session)
