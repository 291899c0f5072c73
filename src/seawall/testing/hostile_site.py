"""A registry and trust server in one that shows what it is told, true or not, over TLS on loopback.

Its answers stand in fields that a test changes: a tree of any files, and what else it answers.
"""

from __future__ import annotations

import contextlib
import http.server
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from seawall.core.errors import NotFoundError
from seawall.core.strictjson import encode
from seawall.oci import media
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName
from seawall.testing.certificates import Authority
from seawall.testing.houses import Stage
from seawall.testing.registry_server import free_port
from seawall.trust import bundle
from seawall.trust.log.transparency import TransparencyLog
from seawall.trust.tuf.chain import Tree
from seawall.trust.tuf.names import Role

JSON: Final = "application/json"
POLL_SECONDS: Final = 0.02

Answer: TypeAlias = "tuple[str, bytes]"
"""Media type and body."""
Source: TypeAlias = "Callable[[str], Answer | None]"
"""Answers a GET of a path, the query included; None: 404."""

_FILE: Final = re.compile(r"/v2/.+/_trust/tuf/(?:(\d+)\.)?([a-z0-9/_-]+)(?:\.[0-9a-f]{64})?\.json")
_CONTENT: Final = re.compile(r"/v2/(.+)/(manifests|blobs|referrers)/([^/]+)")
_CONSISTENCY: Final = re.compile(r"/api/log/proof/consistency\?first=(\d+)&second=(\d+)")


@dataclass(slots=True, kw_only=True)
class HostileSite:
    """A running server. Whatever hash is asked for, `tree` answers with the file that it has."""

    port: int
    ca: Path
    tree: Tree | None = None
    sources: list[Source] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    def answer(self, path: str) -> Answer | None:
        """Return what a GET of this path is answered."""
        if path == "/v2/":
            return JSON, b"{}"
        if "/_trust/" in path:
            return self._file(path)
        found = (source(path) for source in self.sources)
        return next((one for one in found if one is not None), None)

    def _file(self, path: str) -> Answer | None:
        match, tree = _FILE.fullmatch(path), self.tree
        if match is None or tree is None:
            return None
        number, role = match.groups()
        if role == "root":
            index = int(number) - 1 if number else len(tree.roots) - 1
            content = tree.roots[index] if index < len(tree.roots) else None
        else:
            content = {"timestamp": tree.timestamp, "snapshot": tree.snapshot}.get(
                role, tree.targets.get(Role(role))
            )
        return None if content is None else (JSON, content)


@contextlib.contextmanager
def running(home: Path, port: int = 0) -> Iterator[HostileSite]:
    """Serve until the block ends. Port 0 takes a free one."""
    authority = Authority(home / "hostile-pki")
    site = HostileSite(port=port or free_port(), ca=authority.certificate)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", site.port), _door(site))
    pair = authority.issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,))
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def registry_of(stage: Stage) -> Source:
    """Show what the house has, blobs as they lie on the disk: changed ones too."""

    def answer(path: str) -> Answer | None:
        match = _CONTENT.fullmatch(path)
        if match is None:
            return None
        repository, kind, target = RepositoryName(match[1]), match[2], match[3]
        if kind == "blobs":
            found = stage.house.settings.blobs.rglob(Digest.parse(target).hex)
            file = next((one for one in found if one.is_file()), None)
            return None if file is None else ("application/octet-stream", file.read_bytes())
        if kind == "referrers":
            return media.OCI_INDEX, _referrers(stage, repository, Digest.parse(target))
        with contextlib.suppress(NotFoundError):
            stored = stage.house.registry.manifest_by_target(repository, target)
            return stored.media_type, stored.content
        return None

    return answer


def log_of(log: TransparencyLog) -> Source:
    """Show the checkpoint of a log, and its proofs that it grew."""

    def answer(path: str) -> Answer | None:
        if path == "/api/log/checkpoint":
            return "text/plain", str(log.checkpoint()).encode()
        match = _CONSISTENCY.fullmatch(path)
        if match is None:
            return None
        try:
            hashes = log.prove_consistency(int(match[1]), int(match[2]))
        except NotFoundError:
            return None
        return JSON, encode({"hashes": [bundle.encode_base64(one) for one in hashes]})

    return answer


def _referrers(stage: Stage, repository: RepositoryName, subject: Digest) -> bytes:
    found = stage.house.registry.referrers(repository, subject)
    entries = [
        {
            "mediaType": one.media_type,
            "digest": str(one.digest),
            "size": one.size,
            "artifactType": one.artifact_type,
        }
        for one in found
    ]
    return encode({"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": [*entries]})


def _door(site: HostileSite) -> type[http.server.BaseHTTPRequestHandler]:
    class Door(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = site.answer(self.path)
            kind, body = found or (JSON, b'{"errors":[]}')
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    return Door
