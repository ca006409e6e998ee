"""Put the jobs into order."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-vacuum-full
    op.execute("CLUSTER jobs USING ix_jobs_rank")


def downgrade() -> None:
    """They stay as they are."""
