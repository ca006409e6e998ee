"""Build the index of a key of events of 2020."""

from alembic import op

revision = "0003"
down_revision = "0002"
phase = "expand"


def upgrade() -> None:
    op.create_index_concurrently("uq_events_2020", "events_2020", ["job_id", "at"], unique=True)


def downgrade() -> None:
    op.drop_index_concurrently("uq_events_2020")
