"""The scanner: verdicts that images share, signals beside severity, ends of life, VEX."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "scan_image",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("scanned_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scan_image")),
        sa.UniqueConstraint("digest", name=op.f("uq_scan_image_digest")),
    )
    op.create_table(
        "scan_lifecycle",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("cycle", sa.Text(), nullable=False),
        sa.Column("ends", sa.Text(), nullable=False),
        sa.Column("is_ended", sa.Boolean(), nullable=False),
        sa.Column("latest", sa.Text(), nullable=False),
        sa.Column("names", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_scan_lifecycle")),
    )
    with op.batch_alter_table("scan_lifecycle", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_scan_lifecycle_product"), ["product"], unique=False)

    op.create_table(
        "scan_package",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("identity", sa.LargeBinary(), nullable=False),
        sa.Column("question", sa.LargeBinary(), nullable=False),
        sa.Column("verdict", sa.LargeBinary(), nullable=False),
        sa.Column("since", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scan_package")),
        sa.UniqueConstraint("identity", name=op.f("uq_scan_package_identity")),
    )
    op.create_table(
        "scan_signal",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("rank", sa.Float(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_scan_signal")),
    )
    with op.batch_alter_table("scan_signal", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_scan_signal_id"), ["id"], unique=False)

    op.create_table(
        "scan_verdict_change",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("package", sa.BigInteger(), nullable=False),
        sa.Column("before", sa.LargeBinary(), nullable=False),
        sa.Column("after", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scan_verdict_change")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "scan_vex",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=False),
        sa.Column("approved_at", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_scan_vex")),
    )
    op.create_table(
        "scan_package_name",
        sa.Column("ecosystem", sa.Text(), nullable=False),
        sa.Column("package", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["id"], ["scan_package.id"], name=op.f("fk_scan_package_name_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("ecosystem", "package", "id", name=op.f("pk_scan_package_name")),
    )
    with op.batch_alter_table("scan_package_name", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_scan_package_name_id"), ["id"], unique=False)

    op.create_table(
        "scan_unsettled",
        sa.Column("image", sa.BigInteger(), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("components", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["change"],
            ["scan_verdict_change.id"],
            name=op.f("fk_scan_unsettled_change"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["image"], ["scan_image.id"], name=op.f("fk_scan_unsettled_image"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("image", "change", name=op.f("pk_scan_unsettled")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("scan_unsettled", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_scan_unsettled_change"), ["change"], unique=False)

    # What an image holds is written anew with its next report: those of before are of an older
    # format, which is read as absent.
    op.drop_table("scan_content")
    op.create_table(
        "scan_content",
        sa.Column("package", sa.BigInteger(), nullable=False),
        sa.Column("image", sa.BigInteger(), nullable=False),
        sa.Column("components", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["image"], ["scan_image.id"], name=op.f("fk_scan_content_image"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["package"],
            ["scan_package.id"],
            name=op.f("fk_scan_content_package"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("package", "image", name=op.f("pk_scan_content")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("scan_content", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_scan_content_image"), ["image"], unique=False)

    with op.batch_alter_table("scan_generation", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("is_rejudged", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    with op.batch_alter_table("scan_generation", schema=None) as batch_op:
        batch_op.alter_column("is_rejudged", server_default=None)
    # The advisories in use stay in use, though they say less than the next import of the same file.
    for table, column, value in (
        ("scan_advisory", "informational", ""),
        ("scan_generation", "fresh", "[]"),
        ("scan_range", "state", ""),
        ("scan_range", "module", ""),
        ("scan_range", "symbols", "[]"),
    ):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column(column, sa.Text(), nullable=False, server_default=value))
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.alter_column(column, server_default=None)
