"""The table of the log. Triggers (see the migrations) refuse UPDATE and DELETE on it."""

from __future__ import annotations

import sqlalchemy as sa

from seawall.store import tables

entries = sa.Table(
    "audit_entry",
    tables,
    sa.Column(
        "seq",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("repository", sa.Text),
    sa.Column("digest", sa.Text),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Index(None, "kind", "seq"),
    sa.Index(None, "repository", "seq"),
    sa.Index(None, "digest", "seq"),
)
