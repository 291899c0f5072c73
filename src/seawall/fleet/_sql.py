"""The table of receipts."""

from __future__ import annotations

import sqlalchemy as sa

from seawall.store import tables

receipts = sa.Table(
    "receipt",
    tables,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("engine", sa.Text, nullable=False),
    sa.Column("container_id", sa.Text, nullable=False),
    sa.Column("repository", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("image_asked", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("verdict", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.UniqueConstraint("engine", "container_id"),
    sa.Index(None, "container_id"),
    sa.Index(None, "digest"),
)
