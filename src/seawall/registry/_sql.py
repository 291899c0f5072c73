"""The tables of this room. Rights to read follow links: a blob or manifest is known to a
repository, and readable through it, only by a row here."""

from __future__ import annotations

import sqlalchemy as sa

from seawall.store import insert_missing, tables

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")

repositories = sa.Table(
    "repository",
    tables,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("created_at", sa.Text, nullable=False),
)

blobs = sa.Table(
    "blob",
    tables,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
)

repository_blobs = sa.Table(
    "repository_blob",
    tables,
    sa.Column("repository_id", _ID, sa.ForeignKey(repositories.c.id), primary_key=True),
    sa.Column("digest", sa.Text, sa.ForeignKey(blobs.c.digest), primary_key=True),
    sa.Column("linked_at", sa.Text, nullable=False),
    sa.Index(None, "digest"),
)

manifests = sa.Table(
    "manifest",
    tables,
    sa.Column("repository_id", _ID, sa.ForeignKey(repositories.c.id), primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("subject", sa.Text),
    sa.Column("artifact_type", sa.Text, nullable=False),
    sa.Column("annotations", sa.LargeBinary),  # JSON; only where there is a subject
    sa.Column("is_image", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("content_size", sa.BigInteger, nullable=False),  # bytes that a pull fetches
    sa.Column("pushed_at", sa.Text, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Index(None, "repository_id", "subject", "digest"),
    sa.Index(None, "digest"),  # in which repositories an image is
)

manifest_blobs = sa.Table(
    "manifest_blob",
    tables,
    sa.Column("repository_id", _ID, primary_key=True),
    sa.Column("manifest", sa.Text, primary_key=True),
    sa.Column("blob", sa.Text, primary_key=True),
    sa.ForeignKeyConstraint(
        ["repository_id", "manifest"],
        ["manifest.repository_id", "manifest.digest"],
        name="fk_manifest_blob_manifest",
        ondelete="CASCADE",
    ),
    sa.Index(None, "repository_id", "blob"),
)

manifest_children = sa.Table(
    "manifest_child",
    tables,
    sa.Column("repository_id", _ID, primary_key=True),
    sa.Column("manifest", sa.Text, primary_key=True),
    sa.Column("child", sa.Text, primary_key=True),
    sa.ForeignKeyConstraint(
        ["repository_id", "manifest"],
        ["manifest.repository_id", "manifest.digest"],
        name="fk_manifest_child_manifest",
        ondelete="CASCADE",
    ),
    sa.Index(None, "repository_id", "child"),
)

tags = sa.Table(
    "tag",
    tables,
    sa.Column("repository_id", _ID, sa.ForeignKey(repositories.c.id), primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),  # as it was pushed, of whatever algorithm
    sa.Column("pushed_at", sa.Text, nullable=False),
    sa.Index(None, "repository_id", "digest"),
)

uploads = sa.Table(
    "upload",
    tables,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("repository_id", _ID, sa.ForeignKey(repositories.c.id), nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.Column("touched_at", sa.Text, nullable=False),
    sa.Index(None, "actor"),
    sa.Index(None, "touched_at"),
)


def repository_id(connection: sa.Connection, name: str) -> int | None:
    """Return the repository's number, or None if it is unknown."""
    found: int | None = connection.execute(
        sa.select(repositories.c.id).where(repositories.c.name == name)
    ).scalar()
    return found


def ensure_repository(connection: sa.Connection, name: str, at: str) -> int:
    """Return the repository's number; make the repository when it is new."""
    known = repository_id(connection, name)
    if known is not None:
        return known
    insert_missing(connection, repositories, {"name": name, "created_at": at})
    made = repository_id(connection, name)
    assert made is not None
    return made
