"""The queue's tables."""

from __future__ import annotations

import sqlalchemy as sa

from seawall.store import tables

_IS_QUEUED = sa.text("state = 'queued'")

jobs = sa.Table(
    "job",
    tables,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("run_at", sa.Text, nullable=False),
    sa.Column("lease_owner", sa.Text),
    sa.Column("lease_until", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Index(None, "state", "run_at"),
    # The same work is never queued twice; a job that already runs may be queued once more.
    sa.Index(
        "uq_job_queued",
        "kind",
        "key",
        unique=True,
        sqlite_where=_IS_QUEUED,
        postgresql_where=_IS_QUEUED,
    ),
)

cursors = sa.Table(
    "job_cursor",
    tables,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
)
