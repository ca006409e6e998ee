"""Create logs of jobs in the cache, locked both at once."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-reference-with-its-column
    op.create_table(
        "logs",
        sa.Column("job_id", sa.BigInteger(), sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("key", sa.Text(), sa.ForeignKey("cache.key"), unique=True),
    )


def downgrade() -> None:
    op.drop_table("logs")
