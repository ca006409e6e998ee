"""No event twice: the constraint takes those of the partitions."""

from alembic import op

revision = "0005"
down_revision = "0004"
phase = "expand"


def upgrade() -> None:
    op.create_unique_constraint("uq_events", "events", ["job_id", "at"])


def downgrade() -> None:
    op.drop_constraint("uq_events", "events")
