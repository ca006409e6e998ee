"""Compute a job's size in megabytes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-stored-generated-column
    op.add_column(
        "jobs",
        sa.Column("size_mb", sa.BigInteger(), sa.Computed("size_bytes / 1000000", persisted=True)),
    )


def downgrade() -> None:
    op.drop_column("jobs", "size_mb")
