"""Blobs as the registry knows them: linked to a repository, of a known size, whole on the disk.

What the store finds damaged is announced here, once, and never handed out.
"""

from __future__ import annotations

from typing import BinaryIO

from seawall import audit
from seawall.blobs import BlobStore
from seawall.core.actor import SYSTEM
from seawall.core.clock import Clock
from seawall.core.errors import IntegrityError, NotFoundError
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName
from seawall.registry import _lookup
from seawall.registry.errors import BlobUnknownError
from seawall.registry.events import BlobCorrupted
from seawall.store import Database


class Contents:
    def __init__(self, database: Database, blobs: BlobStore, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock

    def open(self, repository: RepositoryName, digest: Digest) -> BinaryIO:
        """Open a blob that the repository links to, verified."""
        self._linked_size(repository, digest)
        try:
            return self._blobs.open(digest)
        except IntegrityError:
            self._announce(repository, digest)
            raise
        except NotFoundError:
            raise _unknown(repository, digest) from None

    def size(self, repository: RepositoryName, digest: Digest) -> int:
        """Return the size of a blob that is linked and present."""
        size = self._linked_size(repository, digest)
        if not self.is_present(repository, digest, size):
            raise _unknown(repository, digest)
        return size

    def is_present(self, repository: RepositoryName, digest: Digest, size: int) -> bool:
        """Tell cheaply whether the store holds the blob, of the right size.

        One of another size is damaged: it goes to quarantine, so that a new push repairs it. Must
        not be called inside a write transaction.
        """
        try:
            if self._blobs.size(digest) == size:
                return True
        except NotFoundError:
            return False
        self._blobs.quarantine(digest)
        self._announce(repository, digest)
        return False

    def _linked_size(self, repository: RepositoryName, digest: Digest) -> int:
        with self._database.read() as connection:
            size = _lookup.linked_size(connection, repository, digest)
        if size is None:
            raise _unknown(repository, digest)
        return size

    def _announce(self, repository: RepositoryName, digest: Digest) -> None:
        with self._database.write() as connection:
            event = BlobCorrupted(repository=str(repository), digest=str(digest))
            audit.record(connection, event, actor=SYSTEM, at=self._clock.now())


def _unknown(repository: RepositoryName, digest: Digest) -> BlobUnknownError:
    return BlobUnknownError(f"no blob {digest} in {repository}")
