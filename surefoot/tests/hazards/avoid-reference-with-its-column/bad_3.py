"""Create logs of jobs, one for each."""

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
        sa.Column("size", sa.BigInteger()),
    )
    # finds: avoid-work-under-write-lock
    op.execute("INSERT INTO logs SELECT id, size_bytes FROM jobs")


def downgrade() -> None:
    op.drop_table("logs")
