"""Content trust: trees, pins, the transparency log, authorities."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "trust_authority",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("identities", sa.LargeBinary(), nullable=False),
        sa.Column("patterns", sa.LargeBinary(), nullable=False),
        sa.Column("trusted_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_trust_authority")),
    )
    op.create_table(
        "trust_log_checkpoint",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_trust_log_checkpoint")),
    )
    op.create_table(
        "trust_log_cosignature",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("line", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size", "witness", name=op.f("pk_trust_log_cosignature")),
    )
    op.create_table(
        "trust_log_entry",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("key_id", sa.Text(), nullable=True),
        sa.Column("integrated_at", sa.BigInteger(), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_trust_log_entry")),
    )
    with op.batch_alter_table("trust_log_entry", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_trust_log_entry_digest"), ["digest"], unique=False)
        batch_op.create_index("ix_trust_log_entry_leaf_hash", ["leaf_hash"], unique=True)
        batch_op.create_index(
            batch_op.f("ix_trust_log_entry_repository"), ["repository"], unique=False
        )

    op.create_table(
        "trust_log_node",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name=op.f("pk_trust_log_node")),
    )
    op.create_table(
        "trust_log_witness",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("added_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_trust_log_witness")),
    )
    op.create_table(
        "trust_pin",
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("root_key_ids", sa.LargeBinary(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("seen", sa.LargeBinary(), nullable=False),
        sa.Column("pinned_by", sa.Text(), nullable=False),
        sa.Column("pinned_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("repository", name=op.f("pk_trust_pin")),
    )
    op.create_table(
        "trust_tuf_change",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("gun", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trust_tuf_change")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("trust_tuf_change", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_trust_tuf_change_gun"), ["gun"], unique=False)

    op.create_table(
        "trust_tuf_file",
        sa.Column("gun", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("gun", "role", "version", name=op.f("pk_trust_tuf_file")),
    )
    with op.batch_alter_table("trust_tuf_file", schema=None) as batch_op:
        batch_op.create_index(
            "ix_trust_tuf_file_gun_role_sha256", ["gun", "role", "sha256"], unique=False
        )

    op.create_table(
        "trust_tuf_key",
        sa.Column("gun", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("gun", "role", "key_id", name=op.f("pk_trust_tuf_key")),
    )
    op.create_table(
        "trust_tuf_pending",
        sa.Column("gun", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("started_by", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("gun", "role", name=op.f("pk_trust_tuf_pending")),
    )
    with op.batch_alter_table("trust_key", schema=None) as batch_op:
        batch_op.add_column(sa.Column("hardware", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("attestation", sa.LargeBinary(), nullable=True))
