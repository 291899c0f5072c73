"""How surely a package of an image runs when a container starts."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # 1: not known, until the image is scanned again.
    column = sa.Column("reach", sa.SmallInteger(), nullable=False, server_default=sa.text("1"))
    op.add_column("scan_content", column)
