"""Find events of 2020 by their job."""

from alembic import op

revision = "0002"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    op.create_index_concurrently("ix_events_2020_job_id", "events_2020", ["job_id"])


def downgrade() -> None:
    op.drop_index_concurrently("ix_events_2020_job_id")
