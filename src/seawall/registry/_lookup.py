"""Questions to the tables; each runs on a connection that the caller opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import sqlalchemy as sa

from seawall.core import clock, strictjson
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName, Tag
from seawall.registry import _sql
from seawall.registry.limits import PAGE
from seawall.registry.model import Referrer, StoredManifest, TaggedDigest, TaggedImage

_IN_MAX = 500  # parameters in one statement
_ANNOTATIONS_MAX_BYTES = 8 * 1024 * 1024

_repositories, _manifests, _tags = _sql.repositories.c, _sql.manifests.c, _sql.tags.c
_links, _blobs = _sql.repository_blobs.c, _sql.blobs.c

# Built once: these run on every pull.
_STORED = sa.select(_manifests.digest, _manifests.media_type, _manifests.content).join_from(
    _sql.repositories, _sql.manifests, _repositories.id == _manifests.repository_id
)
_BY_DIGEST = _STORED.where(
    _repositories.name == sa.bindparam("name"), _manifests.digest == sa.bindparam("target")
)
_BY_TAG = _STORED.join(
    _sql.tags,
    sa.and_(_tags.repository_id == _repositories.id, _tags.digest == _manifests.digest),
).where(_repositories.name == sa.bindparam("name"), _tags.name == sa.bindparam("target"))
_DIGEST_BY_DIGEST = _BY_DIGEST.with_only_columns(_manifests.digest)
_DIGEST_BY_TAG = _BY_TAG.with_only_columns(_manifests.digest)
_LINKED_SIZE = (
    sa.select(_blobs.size)
    .join_from(_sql.repositories, _sql.repository_blobs)
    .join(_sql.blobs, _blobs.digest == _links.digest)
    .where(_repositories.name == sa.bindparam("name"), _links.digest == sa.bindparam("digest"))
)


def stored_manifest(
    connection: sa.Connection, repository: RepositoryName, target: str
) -> StoredManifest | None:
    """Return what a tag or digest names, in one statement."""
    query = _BY_DIGEST if ":" in target else _BY_TAG
    row = connection.execute(query, {"name": repository, "target": target}).first()
    if row is None:
        return None
    return StoredManifest(digest=Digest(row.digest), media_type=row.media_type, content=row.content)


def digest_of(connection: sa.Connection, repository: RepositoryName, target: str) -> Digest | None:
    """Return the digest of what a tag or digest names, if it is in the repository."""
    query = _DIGEST_BY_DIGEST if ":" in target else _DIGEST_BY_TAG
    found = connection.execute(query, {"name": repository, "target": target}).scalar()
    return None if found is None else Digest(found)


def linked_size(
    connection: sa.Connection, repository: RepositoryName, digest: Digest
) -> int | None:
    """Return the size of a blob that the repository links to."""
    size: int | None = connection.execute(
        _LINKED_SIZE, {"name": repository, "digest": digest}
    ).scalar()
    return size


def linked_sizes(
    connection: sa.Connection, repository_id: int, digests: Iterable[Digest]
) -> dict[Digest, int]:
    """Return the sizes of those `digests` that the repository links to."""
    query = sa.select(_blobs.digest, _blobs.size).join_from(
        _sql.repository_blobs, _sql.blobs, _blobs.digest == _links.digest
    )
    found: dict[Digest, int] = {}
    for some in _portions(digests):
        rows = connection.execute(
            query.where(_links.repository_id == repository_id, _links.digest.in_(some))
        )
        found |= {Digest(row.digest): row.size for row in rows}
    return found


def manifest_sizes(
    connection: sa.Connection, repository_id: int, digests: Iterable[Digest]
) -> dict[Digest, tuple[int, int]]:
    """Return, of those `digests` that are manifests here, their bytes and those of a pull."""
    query = sa.select(
        _manifests.digest, sa.func.length(_manifests.content).label("size"), _manifests.content_size
    )
    found: dict[Digest, tuple[int, int]] = {}
    for some in _portions(digests):
        rows = connection.execute(
            query.where(_manifests.repository_id == repository_id, _manifests.digest.in_(some))
        )
        found |= {Digest(row.digest): (row.size, row.content_size) for row in rows}
    return found


def referrers(
    connection: sa.Connection,
    repository: RepositoryName,
    subject: Digest,
    *,
    artifact_type: str | None,
    after: str,
    limit: int,
) -> list[Referrer]:
    """Return up to `limit` manifests that name `subject`, with a digest above `after`."""
    query = (
        sa.select(
            _manifests.digest,
            _manifests.media_type,
            _manifests.artifact_type,
            _manifests.annotations,
            sa.func.length(_manifests.content).label("size"),
        )
        .join_from(_sql.repositories, _sql.manifests)
        .where(
            _repositories.name == repository,
            _manifests.subject == subject,
            _manifests.digest > after,
        )
        .order_by(_manifests.digest)
        .limit(limit)
    )
    if artifact_type is not None:
        query = query.where(_manifests.artifact_type == artifact_type)
    return [_referrer(row) for row in connection.execute(query)]


def repositories(
    connection: sa.Connection, is_visible: Callable[[RepositoryName], bool], n: int, last: str
) -> list[RepositoryName]:
    """Return up to `n` names after `last`, of those that hold a manifest and may be seen."""
    found: list[RepositoryName] = []
    while len(found) < n:
        page = connection.execute(
            sa.select(_repositories.name)
            .where(
                _repositories.name > last,
                sa.exists().where(_manifests.repository_id == _repositories.id),
            )
            .order_by(_repositories.name)
            .limit(PAGE)
        ).scalars()
        names = [RepositoryName(name) for name in page]
        found += [name for name in names if is_visible(name)]
        if len(names) < PAGE:
            break
        last = names[-1]
    return found[:n]


def tags(
    connection: sa.Connection, repository_id: int, n: int | None, last: str
) -> list[TaggedDigest]:
    query = (
        sa.select(_tags.name, _tags.digest, _tags.pushed_at)
        .where(_tags.repository_id == repository_id, _tags.name > last)
        .order_by(_tags.name)
        .limit(n)
    )
    return [
        TaggedDigest(
            tag=Tag(row.name),
            digest=Digest(row.digest),
            pushed_at=clock.from_text(row.pushed_at),
        )
        for row in connection.execute(query)
    ]


def tagged_images(connection: sa.Connection, limit: int) -> list[TaggedImage]:
    """Return the newest tags of all repositories."""
    query = (
        sa.select(
            _repositories.name.label("repository"),
            _tags.name.label("tag"),
            _tags.digest,
            _tags.pushed_at,
            _manifests.media_type,
            _manifests.is_image,
            _manifests.content_size,
        )
        .join_from(_sql.tags, _sql.repositories)
        .join(
            _sql.manifests,
            sa.and_(
                _manifests.repository_id == _tags.repository_id, _manifests.digest == _tags.digest
            ),
        )
        .order_by(_tags.pushed_at.desc(), _repositories.name, _tags.name)
        .limit(limit)
    )
    return [
        TaggedImage(
            repository=RepositoryName(row.repository),
            tag=Tag(row.tag),
            digest=Digest(row.digest),
            media_type=row.media_type,
            is_image=row.is_image,
            pushed_at=clock.from_text(row.pushed_at),
            size=row.content_size,
        )
        for row in connection.execute(query)
    ]


def repositories_with(
    connection: sa.Connection, digest: Digest, limit: int
) -> list[RepositoryName]:
    """Return repositories that link to the blob."""
    query = (
        sa.select(_repositories.name)
        .join_from(_sql.repository_blobs, _sql.repositories)
        .where(_links.digest == digest)
        .order_by(_repositories.name)
        .limit(limit)
    )
    return [RepositoryName(name) for name in connection.execute(query).scalars()]


def places_of(
    connection: sa.Connection, digests: Iterable[Digest]
) -> list[tuple[RepositoryName, Digest]]:
    """Return where the manifests with these digests are."""
    query = sa.select(_repositories.name, _manifests.digest).join_from(
        _sql.manifests, _sql.repositories, _repositories.id == _manifests.repository_id
    )
    return [
        (RepositoryName(name), Digest(digest))
        for portion in _portions(digests)
        for name, digest in connection.execute(query.where(_manifests.digest.in_(portion))).all()
    ]


def indexes_of(
    connection: sa.Connection, repository: RepositoryName, child: Digest, limit: int
) -> list[Digest]:
    """Return indexes of the repository that name the manifest, in the order of their digests."""
    c = _sql.manifest_children.c
    query = (
        sa.select(c.manifest)
        .join_from(_sql.manifest_children, _sql.repositories, _repositories.id == c.repository_id)
        .where(_repositories.name == repository, c.child == child)
        .order_by(c.manifest)
        .limit(limit)
    )
    return [Digest(digest) for digest in connection.execute(query).scalars()]


def needs(
    connection: sa.Connection, repository_id: int, manifest: Digest
) -> tuple[dict[Digest, int | None], list[Digest]]:
    """Return the blobs of a manifest with their sizes (None: not linked), and its children."""
    blob, child = _sql.manifest_blobs.c, _sql.manifest_children.c
    wanted = connection.execute(
        sa.select(blob.blob).where(blob.repository_id == repository_id, blob.manifest == manifest)
    ).scalars()
    digests = [Digest(digest) for digest in wanted]
    sizes = linked_sizes(connection, repository_id, digests)
    children = connection.execute(
        sa.select(child.child).where(
            child.repository_id == repository_id, child.manifest == manifest
        )
    ).scalars()
    return {digest: sizes.get(digest) for digest in digests}, [Digest(one) for one in children]


def _portions(digests: Iterable[Digest]) -> Iterator[list[Digest]]:
    rest = list(digests)
    for start in range(0, len(rest), _IN_MAX):
        yield rest[start : start + _IN_MAX]


def _referrer(row: sa.Row[str, str, str, bytes | None, int]) -> Referrer:
    annotations: dict[str, str] = {}
    if row.annotations:
        stored = strictjson.decode_object(row.annotations, max_bytes=_ANNOTATIONS_MAX_BYTES)
        annotations = {key: str(value) for key, value in stored.items()}
    return Referrer(
        digest=Digest(row.digest),
        media_type=row.media_type,
        size=row.size,
        artifact_type=row.artifact_type,
        annotations=annotations,
    )
