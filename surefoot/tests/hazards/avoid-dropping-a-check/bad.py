"""Accept jobs without a code."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-dropping-a-check
    op.drop_constraint("ck_jobs_code", "jobs")


def downgrade() -> None:
    raise NotImplementedError("jobs without a code may have been written")
