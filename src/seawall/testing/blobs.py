"""Blobs in memory, and a way to damage them."""

from __future__ import annotations

import datetime as dt
import io
import threading
from typing import BinaryIO

from seawall.blobs.ports import is_staging_name
from seawall.core.clock import Clock, SystemClock
from seawall.core.errors import ConflictError, IntegrityError, NotFoundError
from seawall.oci.digest import Digest


class MemoryBlobs:
    """A `BlobStore` for tests. It verifies on every `open`."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self.content: dict[Digest, bytes] = {}
        self.staged: dict[str, tuple[bytes, dt.datetime]] = {}
        self.open_stages: set[str] = set()
        self.quarantined: list[tuple[Digest, bytes]] = []

    def stage(self, name: str, offset: int = 0) -> MemoryStaging:
        if not is_staging_name(name):
            raise ValueError("a staging name is 32 hex digits")
        if name in self.open_stages:
            raise ConflictError("another request is sending to this upload")
        known, _ = self.staged.get(name, (b"", self._clock.now()))
        if len(known) < offset:
            self.drop_staged(name)
            raise NotFoundError("the bytes sent so far are lost", remedy="start the upload again")
        self.staged[name] = (known[:offset], self._clock.now())
        self.open_stages.add(name)
        return MemoryStaging(self, name, known[:offset])

    def drop_staged(self, name: str) -> None:
        self.staged.pop(name, None)

    def drop_stale(self, before: dt.datetime) -> int:
        stale = [name for name, (_, at) in self.staged.items() if at < before]
        for name in stale:
            del self.staged[name]
        return len(stale)

    def open(self, digest: Digest) -> BinaryIO:
        with self._lock:
            content = self._content(digest)
            if not digest.is_of(content):
                self.quarantine(digest)
                raise IntegrityError(f"the stored bytes of {digest} are not what its digest says")
        return io.BytesIO(content)

    def size(self, digest: Digest) -> int:
        return len(self._content(digest))

    def exists(self, digest: Digest) -> bool:
        return digest in self.content

    def quarantine(self, digest: Digest) -> None:
        content = self.content.pop(digest, None)
        if content is not None:
            self.quarantined.append((digest, content))

    def damage(self, digest: Digest) -> None:
        """Flip one bit of stored content."""
        content = bytearray(self.content[digest])
        content[len(content) // 2] ^= 1
        self.content[digest] = bytes(content)

    def _content(self, digest: Digest) -> bytes:
        try:
            return self.content[digest]
        except KeyError:
            raise NotFoundError(f"no blob {digest}") from None

    def note_staged(self, name: str, content: bytes) -> None:
        self.staged[name] = (content, self._clock.now())


class MemoryStaging:
    def __init__(self, store: MemoryBlobs, name: str, content: bytes) -> None:
        self._store = store
        self._name = name
        self._content = bytearray(content)

    @property
    def size(self) -> int:
        return len(self._content)

    def write(self, data: bytes) -> None:
        self._content += data

    def commit(self, expected: Digest) -> int:
        content, is_there = bytes(self._content), self._name in self._store.staged
        self.abort()
        if not is_there:
            raise NotFoundError("the staged bytes were dropped meanwhile")
        actual = Digest.of(content, expected.algorithm)
        if actual != expected:
            raise IntegrityError(f"the bytes have the digest {actual}, not {expected}")
        self._store.content[expected] = content
        return len(content)

    def abort(self) -> None:
        self._store.open_stages.discard(self._name)
        self._store.drop_staged(self._name)

    def keep(self) -> None:
        self._store.open_stages.discard(self._name)
        self._store.note_staged(self._name, bytes(self._content))
