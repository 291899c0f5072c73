"""The first schema: the tables of all rooms, and the log's own protection."""

import sqlalchemy as sa
from alembic import op

from seawall.store import append_only

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_entry",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("repository", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_entry")),
    )
    with op.batch_alter_table("audit_entry", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_audit_entry_digest_seq"), ["digest", "seq"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_audit_entry_kind_seq"), ["kind", "seq"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_audit_entry_repository_seq"), ["repository", "seq"], unique=False
        )

    op.create_table(
        "blob",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_blob")),
    )
    op.create_table(
        "identity_grant",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("pattern", sa.Text(), nullable=False),
        sa.Column("actions", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "pattern", name=op.f("pk_identity_grant")),
    )
    op.create_table(
        "identity_token_floor",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("not_before", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_identity_token_floor")),
    )
    with op.batch_alter_table("identity_token_floor", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_identity_token_floor_not_before"), ["not_before"], unique=False
        )

    op.create_table(
        "identity_user",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("is_administrator", sa.Boolean(), nullable=False),
        sa.Column("is_disabled", sa.Boolean(), nullable=False),
        sa.Column("created", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_identity_user")),
    )
    op.create_table(
        "job",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("run_at", sa.Text(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_job_state_run_at"), ["state", "run_at"], unique=False)
        batch_op.create_index(
            "uq_job_queued",
            ["kind", "key"],
            unique=True,
            sqlite_where=sa.text("state = 'queued'"),
            postgresql_where=sa.text("state = 'queued'"),
        )

    op.create_table(
        "job_cursor",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_job_cursor")),
    )
    op.create_table(
        "receipt",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("container_id", sa.Text(), nullable=False),
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("image_asked", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("verdict", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_receipt")),
        sa.UniqueConstraint("engine", "container_id", name=op.f("uq_receipt_engine_container_id")),
    )
    with op.batch_alter_table("receipt", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_receipt_container_id"), ["container_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_receipt_digest"), ["digest"], unique=False)

    op.create_table(
        "repository",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repository")),
        sa.UniqueConstraint("name", name=op.f("uq_repository_name")),
    )
    op.create_table(
        "scan_advisory",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("is_withdrawn", sa.Boolean(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("aliases", sa.Text(), nullable=False),
        sa.Column("upstream", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("severity_source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_scan_advisory")),
    )
    with op.batch_alter_table("scan_advisory", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_scan_advisory_id"), ["id"], unique=False)

    op.create_table(
        "scan_content",
        sa.Column("ecosystem", sa.Text(), nullable=False),
        sa.Column("package", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("ecosystem", "package", "digest", name=op.f("pk_scan_content")),
    )
    with op.batch_alter_table("scan_content", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_scan_content_digest"), ["digest"], unique=False)

    op.create_table(
        "scan_feed",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("format", sa.Integer(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("withdrawn", sa.Integer(), nullable=False),
        sa.Column("ecosystems", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("imported_at", sa.Text(), nullable=False),
        sa.Column("checked_at", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("failed_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_scan_feed")),
    )
    op.create_table(
        "scan_generation",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Text(), nullable=False),
        sa.Column("is_switched", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scan_generation")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("scan_generation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_scan_generation_feed"), ["feed"], unique=False)

    op.create_table(
        "scan_inventory",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("format", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_scan_inventory")),
    )
    op.create_table(
        "scan_layer_facts",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("format", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("stored_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", "format", name=op.f("pk_scan_layer_facts")),
    )
    op.create_table(
        "scan_report",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("scanned_at", sa.Text(), nullable=False),
        sa.Column("summary", sa.LargeBinary(), nullable=False),
        sa.Column("format", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_scan_report")),
    )
    op.create_table(
        "trust_key",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("public_pem", sa.LargeBinary(), nullable=False),
        sa.Column("patterns", sa.LargeBinary(), nullable=False),
        sa.Column("trusted_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_trust_key")),
        sa.UniqueConstraint("name", name=op.f("uq_trust_key_name")),
    )
    op.create_table(
        "identity_certificate",
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("issued", sa.Text(), nullable=False),
        sa.Column("expires", sa.Text(), nullable=False),
        sa.Column("revoked", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user"], ["identity_user.name"], name=op.f("fk_identity_certificate_user")
        ),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_identity_certificate")),
    )
    with op.batch_alter_table("identity_certificate", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_identity_certificate_user"), ["user"], unique=False)

    op.create_table(
        "identity_session",
        sa.Column("id_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("csrf", sa.Text(), nullable=False),
        sa.Column("created", sa.Text(), nullable=False),
        sa.Column("expires", sa.Text(), nullable=False),
        sa.Column("last_seen", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user"], ["identity_user.name"], name=op.f("fk_identity_session_user")
        ),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_identity_session")),
    )
    with op.batch_alter_table("identity_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_identity_session_expires"), ["expires"], unique=False)
        batch_op.create_index(batch_op.f("ix_identity_session_user"), ["user"], unique=False)

    op.create_table(
        "manifest",
        sa.Column(
            "repository_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("artifact_type", sa.Text(), nullable=False),
        sa.Column("annotations", sa.LargeBinary(), nullable=True),
        sa.Column("is_image", sa.Boolean(), nullable=False),
        sa.Column("content_size", sa.BigInteger(), nullable=False),
        sa.Column("pushed_at", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repository.id"], name=op.f("fk_manifest_repository_id")
        ),
        sa.PrimaryKeyConstraint("repository_id", "digest", name=op.f("pk_manifest")),
    )
    with op.batch_alter_table("manifest", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_manifest_repository_id_subject_digest"),
            ["repository_id", "subject", "digest"],
            unique=False,
        )

    op.create_table(
        "repository_blob",
        sa.Column(
            "repository_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("linked_at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["digest"], ["blob.digest"], name=op.f("fk_repository_blob_digest")
        ),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repository.id"], name=op.f("fk_repository_blob_repository_id")
        ),
        sa.PrimaryKeyConstraint("repository_id", "digest", name=op.f("pk_repository_blob")),
    )
    with op.batch_alter_table("repository_blob", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_repository_blob_digest"), ["digest"], unique=False)

    op.create_table(
        "scan_alias",
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("advisory", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["advisory"],
            ["scan_advisory.key"],
            name=op.f("fk_scan_alias_advisory"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("alias", "advisory", name=op.f("pk_scan_alias")),
    )
    with op.batch_alter_table("scan_alias", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_scan_alias_advisory"), ["advisory"], unique=False)

    op.create_table(
        "scan_change",
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("ecosystem", sa.Text(), nullable=False),
        sa.Column("package", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["generation"],
            ["scan_generation.id"],
            name=op.f("fk_scan_change_generation"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("generation", "ecosystem", "package", name=op.f("pk_scan_change")),
    )
    op.create_table(
        "scan_range",
        sa.Column("key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("advisory", sa.BigInteger(), nullable=False),
        sa.Column("ecosystem", sa.Text(), nullable=False),
        sa.Column("package", sa.Text(), nullable=False),
        sa.Column("lo_key", sa.LargeBinary(), nullable=False),
        sa.Column("hi_key", sa.LargeBinary(), nullable=False),
        sa.Column("fixed", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("severity_source", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["advisory"],
            ["scan_advisory.key"],
            name=op.f("fk_scan_range_advisory"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_scan_range")),
    )
    with op.batch_alter_table("scan_range", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_scan_range_advisory"), ["advisory"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_scan_range_ecosystem_package_hi_key_lo_key"),
            ["ecosystem", "package", "hi_key", "lo_key"],
            unique=False,
        )

    op.create_table(
        "tag",
        sa.Column(
            "repository_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("pushed_at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repository.id"], name=op.f("fk_tag_repository_id")
        ),
        sa.PrimaryKeyConstraint("repository_id", "name", name=op.f("pk_tag")),
    )
    with op.batch_alter_table("tag", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_tag_repository_id_digest"), ["repository_id", "digest"], unique=False
        )

    op.create_table(
        "upload",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column(
            "repository_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("touched_at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repository.id"], name=op.f("fk_upload_repository_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload")),
    )
    with op.batch_alter_table("upload", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_upload_actor"), ["actor"], unique=False)
        batch_op.create_index(batch_op.f("ix_upload_touched_at"), ["touched_at"], unique=False)

    op.create_table(
        "manifest_blob",
        sa.Column(
            "repository_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id", "manifest"],
            ["manifest.repository_id", "manifest.digest"],
            name="fk_manifest_blob_manifest",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("repository_id", "manifest", "blob", name=op.f("pk_manifest_blob")),
    )
    with op.batch_alter_table("manifest_blob", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_manifest_blob_repository_id_blob"),
            ["repository_id", "blob"],
            unique=False,
        )

    op.create_table(
        "manifest_child",
        sa.Column(
            "repository_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.Column("child", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id", "manifest"],
            ["manifest.repository_id", "manifest.digest"],
            name="fk_manifest_child_manifest",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "repository_id", "manifest", "child", name=op.f("pk_manifest_child")
        ),
    )
    with op.batch_alter_table("manifest_child", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_manifest_child_repository_id_child"),
            ["repository_id", "child"],
            unique=False,
        )

    append_only.protect(op.get_bind(), "audit_entry", "the audit log")
