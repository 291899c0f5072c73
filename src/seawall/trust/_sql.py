"""The table of trusted keys. What was trusted once and is not now stands in the audit log."""

from __future__ import annotations

import sqlalchemy as sa

from seawall.store import tables

trusted_keys = sa.Table(
    "trust_key",
    tables,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("public_pem", sa.LargeBinary, nullable=False),
    sa.Column("patterns", sa.LargeBinary, nullable=False),  # JSON, a list of texts
    sa.Column("trusted_at", sa.Text, nullable=False),
)
