"""How images stand, what is open in repositories, and the numbers of each day."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_NUMBERS = (
    "images", "scanned", "critical", "high", "medium", "low", "negligible", "unknown", "fixable",
    "exploited", "answered", "unsupported", "open_critical", "closed",
)  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "scan_standing",
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("scanned", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("repository", "digest", name=op.f("pk_scan_standing")),
    )
    op.create_index(op.f("ix_scan_standing_scanned"), "scan_standing", ["scanned"])
    op.create_table(
        "scan_open_hole",
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("hole", sa.Text(), nullable=False),
        sa.Column("package", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("repository", "hole", "package", name=op.f("pk_scan_open_hole")),
    )
    op.create_table(
        "scan_day",
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("repository", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _NUMBERS),
        sa.Column("open_critical_days", sa.Float(), nullable=False),
        sa.Column("closed_days", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("day", "repository", name=op.f("pk_scan_day")),
    )
