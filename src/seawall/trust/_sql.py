"""The tables of trust. What was trusted once and is not now stands in the audit log."""

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
    sa.Column("hardware", sa.LargeBinary, nullable=True),  # JSON, what the attestation says
    sa.Column("attestation", sa.LargeBinary, nullable=True),  # PEM, from the key to the root
)

tuf_files = sa.Table(
    "trust_tuf_file",
    tables,
    sa.Column("gun", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True),
    sa.Column("sha256", sa.Text, nullable=False),  # of the content, hex
    sa.Column("content", sa.LargeBinary, nullable=False),  # as uploaded
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Index("ix_trust_tuf_file_gun_role_sha256", "gun", "role", "sha256"),
)
"""Every accepted version of every role's file; none is ever changed."""

tuf_keys = sa.Table(
    "trust_tuf_key",
    tables,
    sa.Column("gun", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, primary_key=True),
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),  # private half, encrypted
    sa.Column("created_at", sa.Text, nullable=False),
)
"""Keys that the server holds for snapshot and timestamp, all that were ever issued."""

_BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")

tuf_changes = sa.Table(
    "trust_tuf_change",
    tables,
    sa.Column("id", _BIG_ID, primary_key=True, autoincrement=True),
    sa.Column("gun", sa.Text, nullable=False, index=True),
    sa.Column("version", sa.BigInteger, nullable=False),  # of the timestamp
    sa.Column("sha256", sa.Text, nullable=False),  # of the timestamp
    sa.Column("category", sa.Text, nullable=False),  # update, deletion
    sa.Column("created_at", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)
"""The change feed."""

tuf_pending = sa.Table(
    "trust_tuf_pending",
    tables,
    sa.Column("gun", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),  # a file below its threshold
    sa.Column("started_by", sa.Text, nullable=False),
    sa.Column("started_at", sa.Text, nullable=False),
)
"""Files that wait for more signatures."""

pins = sa.Table(
    "trust_pin",
    tables,
    sa.Column("repository", sa.Text, primary_key=True),
    sa.Column("root_key_ids", sa.LargeBinary, nullable=False),  # JSON, canonical ids
    sa.Column("root", sa.LargeBinary, nullable=False),  # newest proven root file
    sa.Column("seen", sa.LargeBinary, nullable=False),  # JSON, highest version of each role
    sa.Column("pinned_by", sa.Text, nullable=False),
    sa.Column("pinned_at", sa.Text, nullable=False),
)
"""What the verifier remembers: the root it was told to trust, and how far each tree has come."""

log_entries = sa.Table(
    "trust_log_entry",
    tables,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),  # from 0
    sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),  # canonicalizedBody
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("repository", sa.Text, nullable=False, index=True),
    sa.Column("tag", sa.Text, nullable=True),
    sa.Column("digest", sa.Text, nullable=True, index=True),
    sa.Column("key_id", sa.Text, nullable=True),
    sa.Column("integrated_at", sa.BigInteger, nullable=False),  # Unix seconds
    sa.Column("statement", sa.LargeBinary, nullable=True),  # what a dsse entry is a signature of
    sa.Index("ix_trust_log_entry_leaf_hash", "leaf_hash", unique=True),
)
"""The leaves of the transparency log."""

log_nodes = sa.Table(
    "trust_log_node",
    tables,
    sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),  # 1: two leaves
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
)
"""Complete inner nodes of the log's tree: what proofs are made of."""

log_checkpoints = sa.Table(
    "trust_log_checkpoint",
    tables,
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("root", sa.LargeBinary, nullable=False),
    sa.Column("note", sa.LargeBinary, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
)
"""Signed tree heads."""

log_witnesses = sa.Table(
    "trust_log_witness",
    tables,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("public", sa.LargeBinary, nullable=False),
    sa.Column("added_at", sa.Text, nullable=False),
)
"""Who may co-sign checkpoints."""

log_cosignatures = sa.Table(
    "trust_log_cosignature",
    tables,
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("witness", sa.Text, primary_key=True),
    sa.Column("line", sa.LargeBinary, nullable=False),
    sa.Column("created_at", sa.Text, nullable=False),
)
"""Co-signatures of checkpoints."""

authorities = sa.Table(
    "trust_authority",
    tables,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),  # notation, sigstore
    sa.Column("content", sa.LargeBinary, nullable=False),  # PEM, or a trusted_root.json
    sa.Column("identities", sa.LargeBinary, nullable=False),  # JSON
    sa.Column("patterns", sa.LargeBinary, nullable=False),  # JSON, a list of texts
    sa.Column("trusted_at", sa.Text, nullable=False),
)
"""Authorities whose certificates sign: of notation, and of cosign's identities."""
