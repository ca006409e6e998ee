"""No new rank is negative."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.create_check_constraint(op.f("ck_jobs_rank"), "jobs", "rank >= 0", postgresql_not_valid=True)


def downgrade() -> None:
    op.drop_constraint("ck_jobs_rank", "jobs")
