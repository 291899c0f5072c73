"""Fingerprints that signed images teach."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scan_taught",
        sa.Column("build_id", sa.Text(), nullable=False),
        sa.Column("distribution", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("source_name", sa.Text(), nullable=False),
        sa.Column("source_version", sa.Text(), nullable=False),
        sa.Column("architecture", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "build_id", "distribution", "type", "name", "version", "key_id",
            name=op.f("pk_scan_taught"),
        ),
    )  # fmt: skip
    op.create_table(
        "scan_teacher",
        sa.Column("image", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("image", "key_id", name=op.f("pk_scan_teacher")),
    )
