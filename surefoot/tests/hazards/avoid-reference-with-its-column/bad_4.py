"""Create logs of jobs, with nothing else."""

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
        sa.Column("text", sa.Text()),
    )
    op.create_index("ix_logs_text", "logs", ["text"])


def downgrade() -> None:
    op.drop_table("logs")
