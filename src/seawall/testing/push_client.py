"""A client that pushes as docker does, over TLS with a token, and tries again when cut off.

It writes down what was acknowledged, to be compared with what is there afterwards, and tells of
each step of its progress, so that a test can kill the server at any of them.
"""

from __future__ import annotations

import base64
import functools
import http.client
import json
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from seawall.oci.digest import Digest
from seawall.testing import images
from seawall.testing.images import Image

PIECE_BYTES: Final = 64 * 1024
TRIES: Final = 8
TIMEOUT_SECONDS: Final = 30.0


class Way(StrEnum):
    """How blobs are sent."""

    WHOLE = "whole"  # POST with the bytes
    STREAM = "stream"  # POST, one PATCH of unknown length, PUT: as docker does
    CHUNKS = "chunks"  # POST, a PATCH for each range, PUT; goes on where it stood


class ClientGaveUpError(Exception):
    """The server was cut off from us in every attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server answered, in whole."""

    status: int
    headers: dict[str, str]
    content: bytes


@dataclass(slots=True, kw_only=True)
class PushClient:
    """`progress` is called at each step, `revive` before a new attempt."""

    port: int
    authority: Path
    password: str
    progress: Callable[[], None] = lambda: None
    revive: Callable[[], None] = lambda: None
    blobs: dict[str, dict[Digest, bytes]] = field(default_factory=dict)
    manifests: dict[str, dict[Digest, Image]] = field(default_factory=dict)
    tags: dict[tuple[str, str], Digest] = field(default_factory=dict)
    interruptions: int = 0
    _connection: http.client.HTTPSConnection | None = None
    _tokens: dict[str, str] = field(default_factory=dict)

    def push(self, repository: str, tag: str, image: Image, way: Way) -> None:
        """Push until it is acknowledged. Raises ClientGaveUpError, or AssertionError."""
        for one in images.walk(image):
            for digest, content in one.blobs.items():
                self._again(functools.partial(self._blob, repository, digest, content, way))
                self.blobs.setdefault(repository, {})[digest] = content
            target = tag if one is image else str(one.digest)
            self._again(functools.partial(self._manifest, repository, target, one))
            self.manifests.setdefault(repository, {})[one.digest] = one
        self.tags[repository, tag] = image.digest

    def check(self) -> int:
        """Read back all that was acknowledged; returns how many manifests that was."""
        for repository, blobs in self.blobs.items():
            for digest, content in blobs.items():
                assert content == self.get(repository, f"blobs/{digest}")
        for (repository, tag), digest in self.tags.items():
            assert digest == Digest.of(self.get(repository, f"manifests/{tag}"))
        for repository, manifests in self.manifests.items():
            for digest, image in manifests.items():
                assert image.manifest == self.get(repository, f"manifests/{digest}")
        return sum(len(manifests) for manifests in self.manifests.values())

    def get(self, repository: str, path: str) -> bytes:
        """Read something that must be there."""
        answer = self.ask("GET", repository, path)
        assert answer.status == 200, (path, answer)
        return answer.content

    def close(self) -> None:
        """Drop the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def ask(
        self,
        method: str,
        repository: str,
        path: str,
        body: bytes = b"",
        *,
        headers: dict[str, str] | None = None,
        is_chunked: bool = False,
    ) -> Answer:
        """Send one request. Raises OSError or HTTPException when it was cut off."""
        length = {"Transfer-Encoding": "chunked"} if is_chunked else {}
        if not is_chunked and method not in {"GET", "HEAD"}:
            length = {"Content-Length": str(len(body))}
        token = {"Authorization": f"Bearer {self._token(repository)}"}
        connection = self._connected()
        connection.putrequest(method, path if path.startswith("/") else f"/v2/{repository}/{path}")
        for name, value in {**token, **length, **(headers or {})}.items():
            connection.putheader(name, value)
        connection.endheaders()
        self.progress()
        for piece in _pieces(body):
            connection.send(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
            self.progress()
        if is_chunked:
            connection.send(b"0\r\n\r\n")
        return self._answer(connection)

    # -- one attempt each

    def _blob(self, repository: str, digest: Digest, content: bytes, way: Way) -> None:
        if self.ask("HEAD", repository, f"blobs/{digest}").status == 200:
            return
        if way is Way.WHOLE:
            answer = self.ask("POST", repository, f"blobs/uploads/?digest={digest}", content)
            assert answer.status == 201, answer
            return
        started = self.ask("POST", repository, "blobs/uploads/")
        assert started.status == 202, started
        place = started.headers["location"]
        if way is Way.STREAM:
            sent = self.ask("PATCH", repository, place, content, is_chunked=True)
            assert sent.status == 202, sent
        else:
            self._chunks(repository, place, content)
        done = self.ask("PUT", repository, f"{place}?digest={digest}")
        assert done.status == 201, done

    def _chunks(self, repository: str, place: str, content: bytes) -> None:
        size = max(1, len(content) // 3 + 1)
        begin = 0
        while begin < len(content):
            chunk = content[begin : begin + size]
            span = {"Content-Range": f"{begin}-{begin + len(chunk) - 1}"}
            try:
                sent = self.ask("PATCH", repository, place, chunk, headers=span)
                assert sent.status == 202, sent
                begin += len(chunk)
            except (OSError, http.client.HTTPException):
                begin = self._stands_at(repository, place, begin)

    def _stands_at(self, repository: str, place: str, acknowledged: int) -> int:
        """Ask where the upload stands after a death: never before what was acknowledged."""
        self._cut_off()
        state = self.ask("GET", repository, place)
        assert state.status == 204, state
        end = int(state.headers["range"].removeprefix("0-"))
        stands = end + 1 if end else 0
        assert stands >= acknowledged, "acknowledged bytes were lost"
        return stands

    def _manifest(self, repository: str, target: str, image: Image) -> None:
        kind = {"Content-Type": image.media_type}
        answer = self.ask("PUT", repository, f"manifests/{target}", image.manifest, headers=kind)
        assert answer.status == 201, answer

    # -- the connection

    def _again(self, attempt: Callable[[], None]) -> None:
        for _ in range(TRIES):
            try:
                return attempt()
            except (OSError, http.client.HTTPException):
                self._cut_off()
        raise ClientGaveUpError

    def _cut_off(self) -> None:
        self.interruptions += 1
        self.close()
        self.revive()

    def _connected(self) -> http.client.HTTPSConnection:
        if self._connection is None:
            context = ssl.create_default_context(cafile=str(self.authority))
            self._connection = http.client.HTTPSConnection(
                "localhost", self.port, timeout=TIMEOUT_SECONDS, context=context
            )
        return self._connection

    def _answer(self, connection: http.client.HTTPSConnection) -> Answer:
        self.progress()
        response = connection.getresponse()
        content = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        self.progress()
        return Answer(status=response.status, headers=headers, content=content)

    def _token(self, repository: str) -> str:
        if repository not in self._tokens:
            proof = base64.b64encode(f"admin:{self.password}".encode()).decode()
            scope = f"repository:{repository}:pull,push"
            connection = self._connected()
            connection.request(
                "GET",
                f"/token?service=seawall-registry&scope={scope}",
                headers={"Authorization": f"Basic {proof}"},
            )
            answer = self._answer(connection)
            assert answer.status == 200, answer
            self._tokens[repository] = json.loads(answer.content)["token"]
        return self._tokens[repository]


def _pieces(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), PIECE_BYTES):
        yield body[start : start + PIECE_BYTES]
