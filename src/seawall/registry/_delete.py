"""Taking things away, never what something that stays still needs."""

from __future__ import annotations

import sqlalchemy as sa

from seawall import audit
from seawall.core.actor import Actor
from seawall.core.clock import Clock
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName, Tag
from seawall.registry import _sql
from seawall.registry.errors import (
    BlobUnknownError,
    ManifestUnknownError,
    RepositoryUnknownError,
    StillReferencedError,
)
from seawall.registry.events import BlobDeleted, ManifestDeleted, TagDeleted
from seawall.store import Database


def delete_tag(
    database: Database, clock: Clock, repository: RepositoryName, tag: Tag, actor: Actor
) -> None:
    c = _sql.tags.c
    with database.write() as connection:
        here = sa.and_(c.repository_id == _known(connection, repository), c.name == tag)
        digest: str | None = connection.execute(sa.select(c.digest).where(here)).scalar()
        if digest is None:
            raise ManifestUnknownError(f"no tag {tag} in {repository}")
        connection.execute(sa.delete(_sql.tags).where(here))
        event = TagDeleted(repository=str(repository), digest=str(digest), tag=str(tag))
        audit.record(connection, event, actor=actor, at=clock.now())


def delete_manifest(
    database: Database, clock: Clock, repository: RepositoryName, digest: Digest, actor: Actor
) -> None:
    c, tags, child = _sql.manifests.c, _sql.tags.c, _sql.manifest_children.c
    with database.write() as connection:
        number = _known(connection, repository)
        here = sa.and_(c.repository_id == number, c.digest == digest)
        if connection.execute(sa.select(c.digest).where(here)).first() is None:
            raise ManifestUnknownError(f"no manifest {digest} in {repository}")
        _refuse_if(
            connection,
            sa.select(child.manifest).where(child.repository_id == number, child.child == digest),
            f"manifest {digest}",
        )
        tagged = sa.and_(tags.repository_id == number, tags.digest == digest)
        names = connection.execute(sa.select(tags.name).where(tagged)).scalars().all()
        connection.execute(sa.delete(_sql.tags).where(tagged))
        connection.execute(sa.delete(_sql.manifests).where(here))
        now = clock.now()
        for name in names:
            event = TagDeleted(repository=str(repository), digest=str(digest), tag=str(name))
            audit.record(connection, event, actor=actor, at=now)
        deleted = ManifestDeleted(repository=str(repository), digest=str(digest))
        audit.record(connection, deleted, actor=actor, at=now)


def delete_blob(
    database: Database, clock: Clock, repository: RepositoryName, digest: Digest, actor: Actor
) -> None:
    c, used, child = _sql.repository_blobs.c, _sql.manifest_blobs.c, _sql.manifest_children.c
    with database.write() as connection:
        number = _known(connection, repository)
        for query in (
            sa.select(used.manifest).where(used.repository_id == number, used.blob == digest),
            sa.select(child.manifest).where(child.repository_id == number, child.child == digest),
        ):
            _refuse_if(connection, query, f"blob {digest}")
        gone = connection.execute(
            sa.delete(_sql.repository_blobs).where(c.repository_id == number, c.digest == digest)
        )
        if not gone.rowcount:
            raise BlobUnknownError(f"no blob {digest} in {repository}")
        event = BlobDeleted(repository=str(repository), digest=str(digest))
        audit.record(connection, event, actor=actor, at=clock.now())


def _known(connection: sa.Connection, repository: RepositoryName) -> int:
    number = _sql.repository_id(connection, repository)
    if number is None:
        raise RepositoryUnknownError(f"no repository {repository}")
    return number


def _refuse_if(connection: sa.Connection, query: sa.Select[tuple[str]], what: str) -> None:
    parent = connection.execute(query.limit(1)).scalar()
    if parent is not None:
        raise StillReferencedError(
            f"{what} is needed by manifest {parent}", remedy="delete that manifest first"
        )
