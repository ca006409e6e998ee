"""Find events by their job: the index of the whole, which is invalid yet."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE INDEX ix_events_job_id ON ONLY events (job_id)")


def downgrade() -> None:
    op.drop_index("ix_events_job_id")
