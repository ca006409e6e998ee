"""No rank is negative."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-not-valid-check
    op.create_check_constraint(op.f("ck_jobs_rank"), "jobs", "rank >= 0")


def downgrade() -> None:
    op.drop_constraint("ck_jobs_rank", "jobs")
