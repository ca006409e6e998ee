"""Create logs of jobs, and a table that refers to them: both are new."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.create_table("logs", sa.Column("job_id", sa.BigInteger(), sa.Identity(), primary_key=True))
    op.create_table(
        "lines",
        sa.Column("log_id", sa.BigInteger(), sa.ForeignKey("logs.job_id"), primary_key=True),
    )


def downgrade() -> None:
    op.drop_table("lines")
    op.drop_table("logs")
