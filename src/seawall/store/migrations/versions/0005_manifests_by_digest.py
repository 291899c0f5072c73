"""Manifests are found by their digest, whatever the repository."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_manifest_digest"), "manifest", ["digest"])
