"""Require a rank of every job, and add a check, in one statement."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-proven-not-null
    # finds: require-not-valid-check
    op.execute(
        "ALTER TABLE jobs ALTER COLUMN rank SET NOT NULL, ADD CONSTRAINT ck_jobs_rank "
        "CHECK (rank > 0)"
    )


def downgrade() -> None:
    op.alter_column("jobs", "rank", nullable=True)
