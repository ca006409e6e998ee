"""Find events by their job, as there is an index for each partition."""

from alembic import op

revision = "0003"
down_revision = "0002"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER INDEX ix_events_job_id ATTACH PARTITION ix_events_2020_job_id")


def downgrade() -> None:
    """It goes with the index."""
