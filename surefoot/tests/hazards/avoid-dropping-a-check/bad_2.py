"""Accept results of jobs that are gone, and numbers that are not positive."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-dropping-a-check
    op.drop_constraint("fk_results_job_id", "results")
    # finds: avoid-dropping-a-check
    op.execute("ALTER DOMAIN positive DROP CONSTRAINT positive_check")


def downgrade() -> None:
    raise NotImplementedError("such rows may have been written")
