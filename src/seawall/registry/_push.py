"""Taking a manifest: everything it names must be here, in the sizes it says.

Missing content is allowed in two places only: the subject (distribution-spec, "Pushing Manifests
with Subject") and layers that may not be distributed. Their URLs are never fetched.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from seawall import audit
from seawall.core import strictjson
from seawall.core.actor import Actor
from seawall.core.clock import Clock, to_text
from seawall.core.errors import InvalidInputError, LimitError
from seawall.oci import manifests, media
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor, Manifest, ParsedManifest
from seawall.oci.names import RepositoryName, Tag
from seawall.registry import _lookup, _sql
from seawall.registry._contents import Contents
from seawall.registry.errors import (
    ContentMissingError,
    DigestMismatchError,
    ManifestInvalidError,
    SizeMismatchError,
    TooLargeError,
)
from seawall.registry.events import ManifestPushed, TagMoved
from seawall.store import Database

_NAMED_MAX = 5  # missing digests that an error names


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """A manifest that parses and is what its digest says, on its way into a repository."""

    repository: RepositoryName
    digest: Digest
    content: bytes
    parsed: ParsedManifest
    tags: tuple[Tag, ...]
    actor: Actor
    blobs: dict[Digest, int]
    children: dict[Digest, int]
    others: dict[Digest, int]
    """Entries of an index that are no manifests by their type: either kind of content will do."""


def prepare(
    repository: RepositoryName,
    *,
    content: bytes,
    content_type: str,
    tags: Sequence[Tag],
    expected: Digest | None,
    actor: Actor,
) -> Push:
    """Parse and check everything that needs no database."""
    try:
        parsed = manifests.parse(content, content_type)
    except LimitError as error:
        raise TooLargeError(error.message, remedy=error.remedy) from error
    except InvalidInputError as error:
        raise ManifestInvalidError(error.message, remedy=error.remedy) from error
    if expected is not None and not expected.is_of(content):
        raise DigestMismatchError(f"the manifest is not {expected}", remedy="send the bytes as is")
    is_manifest = isinstance(parsed, Manifest)
    entries = () if isinstance(parsed, Manifest) else parsed.manifests
    return Push(
        repository=repository,
        digest=expected or Digest.of(content),
        content=content,
        parsed=parsed,
        tags=tuple(dict.fromkeys(tags)),
        actor=actor,
        blobs=_sizes(_blobs_of(parsed)) if is_manifest else {},
        children=_sizes(one for one in entries if _is_manifest_type(one.media_type)),
        others=_sizes(one for one in entries if not _is_manifest_type(one.media_type)),
    )


def take(push: Push, database: Database, contents: Contents, clock: Clock) -> Digest:
    """Store the manifest, move its tags and record it all, durably."""
    _check_presence(push, database, contents)
    now = clock.now()
    with database.write() as connection:
        repository_id = _sql.ensure_repository(connection, push.repository, to_text(now))
        # Once more, now that nobody can take anything away.
        content_size = _check_links(connection, repository_id, push)
        _store(connection, repository_id, push, content_size, to_text(now))
        audit.record(connection, _pushed(push), actor=push.actor, at=now)
        for tag in push.tags:
            previous = _move_tag(connection, repository_id, tag, push.digest, to_text(now))
            if previous != push.digest:
                event = TagMoved(
                    repository=str(push.repository),
                    digest=str(push.digest),
                    tag=str(tag),
                    previous=previous,
                )
                audit.record(connection, event, actor=push.actor, at=now)
    return push.digest


def _check_presence(push: Push, database: Database, contents: Contents) -> None:
    """Look at the store itself, before the write lock is taken."""
    with database.read() as connection:
        repository_id = _sql.repository_id(connection, push.repository)
        if repository_id is None:
            raise_missing([*push.blobs, *push.children, *push.others])
            return
        linked = _lookup.linked_sizes(connection, repository_id, push.blobs | push.others)
    raise_missing(
        digest
        for digest, size in linked.items()
        if not contents.is_present(push.repository, digest, size)
    )


def _check_links(connection: sa.Connection, repository_id: int, push: Push) -> int:
    """Refuse missing content and wrong sizes; return how many bytes a pull fetches."""
    blobs = _lookup.linked_sizes(connection, repository_id, push.blobs | push.others)
    known = _lookup.manifest_sizes(connection, repository_id, push.children | push.others)
    wanted = push.blobs | push.others | push.children
    sizes = {digest: size for digest, (size, _) in known.items()} | blobs
    raise_missing(
        digest
        for digest in wanted
        if digest not in sizes or (digest in push.children and digest not in known)
    )
    for digest, size in wanted.items():
        if sizes[digest] != size:
            raise SizeMismatchError(
                f"the manifest says that {digest} has {size} bytes, and it has {sizes[digest]}",
                remedy="build the manifest again from the content",
            )
    below = sum(pulled for _, pulled in known.values())
    return len(push.content) + sum(blobs.values()) + below


def raise_missing(digests: Iterable[Digest]) -> None:
    """Raise ContentMissingError if there are any."""
    missing = sorted(digests)
    if missing:
        more = f" and {len(missing) - _NAMED_MAX} more" if len(missing) > _NAMED_MAX else ""
        raise ContentMissingError(
            f"not in this repository: {', '.join(missing[:_NAMED_MAX])}{more}",
            remedy="push what the manifest names first",
        )


def _store(
    connection: sa.Connection, repository_id: int, push: Push, content_size: int, at: str
) -> None:
    values = {
        "media_type": push.parsed.media_type,
        "subject": push.parsed.subject.digest if push.parsed.subject else None,
        "artifact_type": artifact_type(push.parsed),
        "annotations": strictjson.encode(push.parsed.annotations) if push.parsed.subject else None,
        "is_image": isinstance(push.parsed, Manifest) and push.parsed.is_image,
        "content_size": content_size,
        "pushed_at": at,
        # Written again when it is already there: a new push repairs damaged bytes.
        "content": push.content,
    }
    c = _sql.manifests.c
    updated = connection.execute(
        sa.update(_sql.manifests)
        .where(c.repository_id == repository_id, c.digest == push.digest)
        .values(values)
    )
    if updated.rowcount:
        return
    key = {"repository_id": repository_id, "digest": push.digest}
    connection.execute(sa.insert(_sql.manifests).values(key | values))
    name = {"repository_id": repository_id, "manifest": push.digest}
    _insert_all(connection, _sql.manifest_blobs, [name | {"blob": one} for one in push.blobs])
    below = push.children | push.others
    _insert_all(connection, _sql.manifest_children, [name | {"child": one} for one in below])


def _insert_all(connection: sa.Connection, table: sa.Table, rows: list[dict[str, object]]) -> None:
    if rows:
        connection.execute(sa.insert(table), rows)


def _move_tag(
    connection: sa.Connection, repository_id: int, tag: Tag, digest: Digest, at: str
) -> str | None:
    c = _sql.tags.c
    here = sa.and_(c.repository_id == repository_id, c.name == tag)
    previous: str | None = connection.execute(sa.select(c.digest).where(here)).scalar()
    if previous is None:
        row = {"repository_id": repository_id, "name": tag, "digest": digest, "pushed_at": at}
        connection.execute(sa.insert(_sql.tags).values(row))
    else:
        connection.execute(sa.update(_sql.tags).where(here).values(digest=digest, pushed_at=at))
    return previous


def _pushed(push: Push) -> ManifestPushed:
    parsed = push.parsed
    return ManifestPushed(
        repository=str(push.repository),
        digest=str(push.digest),
        media_type=parsed.media_type,
        tags=[str(tag) for tag in push.tags],
        size=len(push.content),
        subject=str(parsed.subject.digest) if parsed.subject else None,
        artifact_type=parsed.artifact_type,
        is_image=isinstance(parsed, Manifest) and parsed.is_image,
    )


def artifact_type(parsed: ParsedManifest) -> str:
    """What a list of referrers shows: images fall back to their config's type, indexes do not."""
    if parsed.artifact_type or not isinstance(parsed, Manifest):
        return parsed.artifact_type
    return parsed.config.media_type


def _blobs_of(parsed: ParsedManifest) -> Iterable[Descriptor]:
    if isinstance(parsed, Manifest):
        yield parsed.config
        yield from (one for one in parsed.layers if not media.is_foreign_layer(one.media_type))


def _sizes(descriptors: Iterable[Descriptor]) -> dict[Digest, int]:
    sizes: dict[Digest, int] = {}
    for one in descriptors:
        if sizes.setdefault(one.digest, one.size) != one.size:
            raise SizeMismatchError(f"the manifest gives {one.digest} two sizes")
    return sizes


def _is_manifest_type(media_type: str) -> bool:
    return media_type in media.MANIFESTS or media_type in media.INDEXES
