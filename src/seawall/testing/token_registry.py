"""A registry that serves one image, and only to the bearer of one token; it notes who asked."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from seawall.oci.digest import Digest
from seawall.testing.images import Image


@dataclass(kw_only=True)
class TokenRegistry:
    """`authorizations` are the values of the header as they came, one for each request."""

    host: str
    token: str
    authorizations: list[str | None] = field(default_factory=list)


@contextlib.contextmanager
def serving(image: Image, token: str) -> Iterator[TokenRegistry]:
    """Serve `image` on a loopback port until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self, *, with_body: bool) -> None:
            registry.authorizations.append(self.headers.get("Authorization"))
            if registry.authorizations[-1] != f"Bearer {token}":
                self._send(HTTPStatus.UNAUTHORIZED, b"", "application/json")
                return
            digest = Digest.parse(self.path.rpartition("/")[2]) if "sha256:" in self.path else None
            if digest == image.digest:
                self._send(HTTPStatus.OK, image.manifest, image.media_type, with_body=with_body)
            elif digest in image.blobs:
                content = image.blobs[digest]
                self._send(HTTPStatus.OK, content, "application/octet-stream", with_body=with_body)
            else:
                self._send(HTTPStatus.OK if self.path == "/v2/" else HTTPStatus.NOT_FOUND, b"", "")

        def _send(
            self, status: HTTPStatus, body: bytes, media_type: str, *, with_body: bool = True
        ) -> None:
            self.send_response(status)
            if status is HTTPStatus.UNAUTHORIZED:
                realm = f'Bearer realm="http://{registry.host}/token",service="test"'
                self.send_header("WWW-Authenticate", realm)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if with_body:
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    registry = TokenRegistry(host=f"127.0.0.1:{server.server_port}", token=token)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
