"""The tables of this room. Moments are RFC 3339 texts that sort in the order of time."""

from __future__ import annotations

import sqlalchemy as sa

from seawall.store import tables

users = sa.Table(
    "identity_user",
    tables,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("password_hash", sa.Text, nullable=False),  # argon2id, PHC string
    sa.Column("is_administrator", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("is_disabled", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("created", sa.Text, nullable=False),
)

grants = sa.Table(
    "identity_grant",
    tables,
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("pattern", sa.Text, primary_key=True),
    sa.Column("actions", sa.Text, nullable=False),  # sorted, joined with commas
)

sessions = sa.Table(
    "identity_session",
    tables,
    sa.Column("id_hash", sa.LargeBinary, primary_key=True),  # SHA-256; the id itself is not stored
    sa.Column("user", sa.Text, sa.ForeignKey(users.c.name), nullable=False, index=True),
    sa.Column("csrf", sa.Text, nullable=False),
    sa.Column("created", sa.Text, nullable=False),
    sa.Column("expires", sa.Text, nullable=False, index=True),
    sa.Column("last_seen", sa.Text, nullable=False),
)

certificates = sa.Table(
    "identity_certificate",
    tables,
    sa.Column("serial", sa.Text, primary_key=True),  # lower-case hex
    sa.Column("fingerprint", sa.LargeBinary, nullable=False),  # SHA-256 of the DER
    sa.Column("user", sa.Text, sa.ForeignKey(users.c.name), nullable=False, index=True),
    sa.Column("issued", sa.Text, nullable=False),
    sa.Column("expires", sa.Text, nullable=False),
    sa.Column("revoked", sa.Text),
)

token_floors = sa.Table(
    "identity_token_floor",
    tables,
    # A user's name, `authenticated` (all users) or `anonymous` (everyone).
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("not_before", sa.Text, nullable=False),  # tokens issued until then are void
    sa.Index(None, "not_before"),
)
