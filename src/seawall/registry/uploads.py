"""Blobs on their way in. What `append` acknowledged survives a restart; a finished blob is durable.

Refused: a chunk that does not begin where the upload stands, two requests sending to one upload,
more bytes than a blob may have, an upload of another repository.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from seawall.blobs import BlobStore, Staging
from seawall.core.actor import Actor
from seawall.core.clock import Clock, to_text
from seawall.core.errors import IntegrityError, NotFoundError
from seawall.core.ids import new_id
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName
from seawall.registry import _lookup, _sql
from seawall.registry._contents import Contents
from seawall.registry.errors import (
    BlobUnknownError,
    DigestMismatchError,
    OffsetError,
    TooLargeError,
    TooManyUploadsError,
    UploadUnknownError,
)
from seawall.registry.limits import BLOB_MAX_BYTES, UPLOAD_LIFETIME, UPLOADS_MAX_OPEN
from seawall.registry.model import Upload
from seawall.store import Database, insert_missing

_MOUNT_SOURCES_MAX = 200  # repositories that are asked for one that the caller may read


class Incoming:
    """An upload that one request sends to; ends in `suspend`, `undo`, `finish` or `abandon`."""

    def __init__(self, uploads: Uploads, upload: Upload, staging: Staging) -> None:
        self._uploads = uploads
        self._staging = staging
        self._upload = upload

    @property
    def offset(self) -> int:
        """Bytes here, with those of this request."""
        return self._staging.size

    def write(self, data: bytes) -> None:
        """Append. Raises TooLargeError or UnavailableError (disk full); the upload is then gone."""
        if self._staging.size + len(data) > BLOB_MAX_BYTES:
            self._drop()
            raise TooLargeError(f"a blob may have at most {BLOB_MAX_BYTES} bytes")
        try:
            self._staging.write(data)
        except BaseException:
            self._uploads.forget(self._upload.id)
            raise

    def suspend(self) -> Upload:
        """Acknowledge all bytes so far, for a later request to go on with."""
        self._staging.keep()
        return self._uploads.note_offset(self._upload, self._staging.size)

    def undo(self) -> None:
        """Forget the bytes of this request; the upload stands where it stood."""
        self._staging.keep()

    def abandon(self) -> None:
        """Drop all bytes."""
        self._staging.abort()

    def finish(self, digest: Digest) -> int:
        """Make the blob durable and readable in its repository; return its size.

        Raises DigestMismatchError; the upload is then gone.
        """
        try:
            size = self._staging.commit(digest)
        except IntegrityError as error:
            self._uploads.forget(self._upload.id)
            raise DigestMismatchError(error.message, remedy=error.remedy) from error
        except NotFoundError as error:  # cancelled meanwhile
            raise unknown(self._upload.id) from error
        except BaseException:
            self._uploads.forget(self._upload.id)
            raise
        self._uploads.link(self._upload, digest, size)
        return size

    def _drop(self) -> None:
        self._staging.abort()
        self._uploads.forget(self._upload.id)


class Uploads:
    """All uploads. Part of `Registry`."""

    def __init__(
        self, database: Database, blobs: BlobStore, clock: Clock, contents: Contents
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock
        self._contents = contents

    def start(self, repository: RepositoryName, actor: Actor) -> Upload:
        """Begin an upload. Raises TooManyUploadsError."""
        upload = Upload(id=new_id(), repository=repository, offset=0)
        c, now = _sql.uploads.c, to_text(self._clock.now())
        with self._database.write() as connection:
            count = sa.select(sa.func.count()).where(c.actor == str(actor))
            if connection.execute(count).scalar_one() >= UPLOADS_MAX_OPEN:
                raise TooManyUploadsError(
                    f"{actor} has {UPLOADS_MAX_OPEN} uploads open",
                    remedy="finish or cancel some, or wait until they expire",
                )
            values = {
                "id": upload.id,
                "repository_id": _sql.ensure_repository(connection, repository, now),
                "actor": str(actor),
                "offset": 0,
                "touched_at": now,
            }
            connection.execute(sa.insert(_sql.uploads).values(values))
        return upload

    def state(self, repository: RepositoryName, upload_id: str) -> Upload:
        """Return where an upload stands. Raises UploadUnknownError."""
        u, r = _sql.uploads.c, _sql.repositories.c
        query = (
            sa.select(u.offset)
            .join_from(_sql.uploads, _sql.repositories)
            .where(u.id == upload_id, r.name == repository, u.touched_at > self._oldest())
        )
        with self._database.read() as connection:
            offset = connection.execute(query).scalar()
        if offset is None:
            raise unknown(upload_id)
        return Upload(id=upload_id, repository=repository, offset=offset)

    def whole(self, repository: RepositoryName) -> Incoming:
        """Begin an upload that this one request finishes: nothing remembers it if it does not."""
        upload = Upload(id=new_id(), repository=repository, offset=0)
        return Incoming(self, upload, self._blobs.stage(upload.id))

    def append(
        self, repository: RepositoryName, upload_id: str, begins_at: int | None = None
    ) -> Incoming:
        """Go on with an upload; `begins_at` is where the client says that its bytes begin.

        Raises OffsetError when the upload does not stand there, ConflictError while another
        request is sending, UploadUnknownError.
        """
        upload = self.state(repository, upload_id)
        if begins_at is not None and begins_at != upload.offset:
            raise OffsetError(
                f"the upload stands at {upload.offset}, not at {begins_at}", offset=upload.offset
            )
        try:
            staging = self._blobs.stage(upload.id, upload.offset)
        except NotFoundError as error:
            self.forget(upload.id)
            raise unknown(upload_id) from error
        # Whoever sent to it until now may have moved it between our question and our lock.
        try:
            now_at = self.state(repository, upload_id).offset
        except UploadUnknownError:
            staging.abort()
            raise
        if now_at != upload.offset:
            staging.keep()
            raise OffsetError(f"the upload has moved to {now_at}", offset=now_at)
        return Incoming(self, upload, staging)

    def cancel(self, repository: RepositoryName, upload_id: str) -> None:
        """End an upload and drop its bytes. Raises UploadUnknownError."""
        upload = self.state(repository, upload_id)
        self.forget(upload.id)
        self._blobs.drop_staged(upload.id)

    def mount(
        self,
        repository: RepositoryName,
        digest: Digest,
        source: RepositoryName | None,
        may_pull: Callable[[RepositoryName], bool],
    ) -> bool:
        """Link a blob of `source` (None: of any repository) that the caller may pull from.

        False when there is none: whether the blob exists elsewhere is not told.
        """
        with self._database.read() as connection:
            names = (
                _lookup.repositories_with(connection, digest, _MOUNT_SOURCES_MAX)
                if source is None
                else [source]
            )
            readable = [name for name in names if may_pull(name)]
        for name in readable:
            try:
                size = self._contents.size(name, digest)
            except BlobUnknownError:
                continue
            self._link(repository, digest, size)
            return True
        return False

    def drop_expired(self) -> int:
        """Drop uploads that received nothing for a day, and bytes that no upload knows."""
        oldest = self._clock.now() - UPLOAD_LIFETIME
        c = _sql.uploads.c
        with self._database.write() as connection:
            expired = sa.select(c.id).where(c.touched_at <= to_text(oldest))
            names = connection.execute(expired).scalars().all()
            connection.execute(sa.delete(_sql.uploads).where(c.touched_at <= to_text(oldest)))
        for name in names:
            self._blobs.drop_staged(name)
        return len(names) + self._blobs.drop_stale(oldest)

    # -- what Incoming uses

    def note_offset(self, upload: Upload, offset: int) -> Upload:
        c = _sql.uploads.c
        with self._database.write_beside() as connection:
            connection.execute(
                sa.update(_sql.uploads)
                .where(c.id == upload.id)
                .values(offset=offset, touched_at=to_text(self._clock.now()))
            )
        return Upload(id=upload.id, repository=upload.repository, offset=offset)

    def forget(self, upload_id: str) -> None:
        with self._database.write_beside() as connection:
            connection.execute(sa.delete(_sql.uploads).where(_sql.uploads.c.id == upload_id))

    def link(self, upload: Upload, digest: Digest, size: int) -> None:
        self._link(upload.repository, digest, size, finished=upload.id)

    def _link(
        self, repository: RepositoryName, digest: Digest, size: int, *, finished: str = ""
    ) -> None:
        now = to_text(self._clock.now())
        with self._database.write_beside() as connection:
            number = _sql.ensure_repository(connection, repository, now)
            blob = {"digest": digest, "size": size, "created_at": now}
            insert_missing(connection, _sql.blobs, blob)
            link = {"repository_id": number, "digest": digest, "linked_at": now}
            insert_missing(connection, _sql.repository_blobs, link)
            connection.execute(sa.delete(_sql.uploads).where(_sql.uploads.c.id == finished))

    def _oldest(self) -> str:
        return to_text(self._clock.now() - UPLOAD_LIFETIME)


def unknown(upload_id: str) -> UploadUnknownError:
    """Return the error for an upload that is not there."""
    return UploadUnknownError(
        f"no upload {upload_id[:64]!r} in this repository", remedy="start the upload again"
    )
