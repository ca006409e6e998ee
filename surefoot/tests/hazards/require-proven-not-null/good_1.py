"""Say that every job has a rank, without a look."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.create_check_constraint(
        op.f("ck_jobs_rank_known"), "jobs", "rank IS NOT NULL", postgresql_not_valid=True
    )


def downgrade() -> None:
    op.drop_constraint("ck_jobs_rank_known", "jobs")
