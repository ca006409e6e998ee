"""Require a rank of every job, by the check's word."""

from alembic import op

revision = "0003"
down_revision = "0002"
phase = "expand"


def upgrade() -> None:
    op.alter_column("jobs", "rank", nullable=False)
    op.drop_constraint("ck_jobs_rank_known", "jobs")


def downgrade() -> None:
    op.alter_column("jobs", "rank", nullable=True)
