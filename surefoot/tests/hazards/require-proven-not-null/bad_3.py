"""Require a job of every event."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-proven-not-null
    op.alter_column("events", "job_id", nullable=False)


def downgrade() -> None:
    op.alter_column("events", "job_id", nullable=True)
