"""The registry's one face. Every method may block; call it through `core.blocking.run`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import BinaryIO

from seawall.blobs import BlobStore
from seawall.core.actor import Actor
from seawall.core.clock import Clock
from seawall.core.errors import LimitError
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName, Tag
from seawall.registry import _delete, _lookup, _push, _sql
from seawall.registry._contents import Contents
from seawall.registry._recent import RecentManifests
from seawall.registry.errors import (
    ManifestDamagedError,
    ManifestUnknownError,
    RepositoryUnknownError,
)
from seawall.registry.limits import INDEX_MAX_DEPTH, PAGE
from seawall.registry.model import Needed, Referrer, StoredManifest, TaggedDigest, TaggedImage
from seawall.registry.uploads import Uploads
from seawall.store import Database


class Registry:
    """Repositories and what they hold. Thread-safe, and safe for several processes at once."""

    def __init__(self, database: Database, blobs: BlobStore, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._contents = Contents(database, blobs, clock)
        self._recent = RecentManifests(database)
        self.uploads = Uploads(database, blobs, clock, self._contents)

    # -- manifests and tags

    def resolve(self, repository: RepositoryName, target: str) -> Digest:
        """Return the digest that a tag names now, or a digest itself if it is a manifest here.

        Raises ManifestUnknownError.
        """
        with self._database.read() as connection:
            digest = _lookup.digest_of(connection, repository, target)
        if digest is None:
            raise _no_manifest(repository, target)
        return digest

    def manifest(self, repository: RepositoryName, digest: Digest) -> StoredManifest:
        """Return a manifest by its digest. Raises ManifestUnknownError, ManifestDamagedError."""
        return self.manifest_by_target(repository, digest)

    def manifest_by_target(self, repository: RepositoryName, target: str) -> StoredManifest:
        """Return what a tag or digest names now.

        Raises ManifestUnknownError, ManifestDamagedError.
        """
        version = self._recent.version()
        with self._database.read() as connection:
            stored = _lookup.stored_manifest(connection, repository, target)
        if stored is None:
            raise _no_manifest(repository, target)
        if not stored.digest.is_of(stored.content):
            raise ManifestDamagedError(
                f"the stored bytes of manifest {stored.digest} are not what its digest says",
                remedy="push the image again to repair it",
            )
        self._recent.add(version, repository, target, stored)
        return stored

    def manifest_at_hand(self, repository: RepositoryName, target: str) -> StoredManifest | None:
        """Return what a tag or digest names now, if that is in memory; else None.

        Takes microseconds and never waits: the one method that the event loop may call itself.
        """
        return self._recent.get(repository, target)

    def put_manifest(
        self,
        repository: RepositoryName,
        *,
        content: bytes,
        content_type: str,
        tags: Sequence[Tag] = (),
        expected: Digest | None = None,
        actor: Actor,
    ) -> Digest:
        """Store a manifest whose content is all here, point `tags` at it, and return its digest.

        The digest is `expected` if given, else SHA-256. Durable when it returns. Raises
        ManifestInvalidError, DigestMismatchError, SizeMismatchError, ContentMissingError,
        TooLargeError.
        """
        push = _push.prepare(
            repository,
            content=content,
            content_type=content_type,
            tags=tags,
            expected=expected,
            actor=actor,
        )
        return _push.take(push, self._database, self._contents, self._clock)

    def delete_manifest(self, repository: RepositoryName, digest: Digest, actor: Actor) -> None:
        """Delete a manifest with its tags. Raises ManifestUnknownError, StillReferencedError."""
        _delete.delete_manifest(self._database, self._clock, repository, digest, actor)

    def delete_tag(self, repository: RepositoryName, tag: Tag, actor: Actor) -> None:
        """Delete a tag; what it named stays. Raises ManifestUnknownError."""
        _delete.delete_tag(self._database, self._clock, repository, tag, actor)

    def referrers(
        self,
        repository: RepositoryName,
        subject: Digest,
        artifact_type: str | None = None,
        *,
        after: str = "",
        limit: int = PAGE,
    ) -> list[Referrer]:
        """Return manifests that name `subject`, in the order of their digests, from `after` on.

        The subject itself need not be here.
        """
        with self._database.read() as connection:
            return _lookup.referrers(
                connection,
                repository,
                subject,
                artifact_type=artifact_type,
                after=after,
                limit=limit,
            )

    # -- blobs

    def open_blob(self, repository: RepositoryName, digest: Digest) -> BinaryIO:
        """Open a blob of the repository, verified. Raises BlobUnknownError, IntegrityError."""
        return self._contents.open(repository, digest)

    def read_blob(self, repository: RepositoryName, digest: Digest, max_bytes: int) -> bytes:
        """Return a whole small blob. Raises like `open_blob`, and LimitError when it is larger."""
        with self.open_blob(repository, digest) as file:
            content = file.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise LimitError(f"blob {digest} is larger than {max_bytes} bytes")
        return content

    def blob_size(self, repository: RepositoryName, digest: Digest) -> int:
        """Return the size of a blob that is here. Raises BlobUnknownError."""
        return self._contents.size(repository, digest)

    def delete_blob(self, repository: RepositoryName, digest: Digest, actor: Actor) -> None:
        """Unlink a blob from the repository. Raises BlobUnknownError, StillReferencedError."""
        _delete.delete_blob(self._database, self._clock, repository, digest, actor)

    def missing_blobs(self, repository: RepositoryName, digest: Digest) -> list[Digest]:
        """Return what a pull of the manifest would not find: blobs, or manifests of an index.

        Cheap: looks at presence and size, not at every byte. Raises ManifestUnknownError.
        """
        return self.missing_of(repository, self.needed(repository, digest))

    def needed(self, repository: RepositoryName, digest: Digest) -> Needed:
        """Return what a pull of the manifest has to find, as the database knows it.

        It changes with events only: a push, a deletion. Raises ManifestUnknownError.
        """
        self.resolve(repository, digest)
        sizes: dict[Digest, int | None] = {}
        todo, depth = {digest}, 0
        while todo and depth < INDEX_MAX_DEPTH:
            todo = {child for one in todo for child in self._look_at(repository, one, sizes)}
            depth += 1
        unknown = {one for one, size in sizes.items() if size is None}
        return Needed(
            blobs=tuple((one, size) for one, size in sizes.items() if size is not None),
            unknown=tuple(unknown | todo),  # what is nested deeper was not looked at: not found
        )

    def missing_of(self, repository: RepositoryName, needed: Needed) -> list[Digest]:
        """Return what is not there, or not of its size: this looks at the disk, each time."""
        gone = (one for one, size in needed.blobs if not self._is_present(repository, one, size))
        return sorted({*gone, *needed.unknown})

    # -- listings

    def repositories(
        self, is_visible: Callable[[RepositoryName], bool], n: int = PAGE, last: str = ""
    ) -> list[RepositoryName]:
        """Return up to `n` names after `last`, sorted by bytes, of repositories with content."""
        with self._database.read() as connection:
            return _lookup.repositories(connection, is_visible, n, last)

    def tags(self, repository: RepositoryName, n: int | None = None, last: str = "") -> list[Tag]:
        """Return up to `n` tags after `last`, sorted by bytes. Raises RepositoryUnknownError."""
        return [one.tag for one in self.tag_list_with_digests(repository, n, last)]

    def tag_list_with_digests(
        self, repository: RepositoryName, n: int | None = None, last: str = ""
    ) -> list[TaggedDigest]:
        """Return tags with what they name. Raises RepositoryUnknownError."""
        with self._database.read() as connection:
            number = _sql.repository_id(connection, repository)
            if number is None:
                raise RepositoryUnknownError(f"no repository {repository}")
            return _lookup.tags(connection, number, n, last)

    def images_tagged(self, limit: int = PAGE) -> list[TaggedImage]:
        """Return the newest tags of all repositories, newest first."""
        with self._database.read() as connection:
            return _lookup.tagged_images(connection, limit)

    def places_of(self, digests: Collection[Digest]) -> list[tuple[RepositoryName, Digest]]:
        """Return in which repositories these manifests are. At most a few hundred at once."""
        with self._database.read() as connection:
            return _lookup.places_of(connection, digests)

    def indexes_of(self, repository: RepositoryName, child: Digest) -> list[Digest]:
        """Return the indexes of the repository that name this manifest, at most a page."""
        with self._database.read() as connection:
            return _lookup.indexes_of(connection, repository, child, PAGE)

    def _look_at(
        self, repository: RepositoryName, digest: Digest, sizes: dict[Digest, int | None]
    ) -> list[Digest]:
        """Add the blobs of one manifest with their sizes; return its children."""
        with self._database.read() as connection:
            number = _sql.repository_id(connection, repository)
            if number is None or _lookup.digest_of(connection, repository, digest) is None:
                sizes[digest] = _lookup.linked_size(connection, repository, digest)
                return []
            found, children = _lookup.needs(connection, number, digest)
        sizes |= found
        return children

    def _is_present(self, repository: RepositoryName, digest: Digest, size: int) -> bool:
        return self._contents.is_present(repository, digest, size)


def _no_manifest(repository: RepositoryName, target: str) -> ManifestUnknownError:
    return ManifestUnknownError(f"no manifest {target[:150]!r} in {repository}")
