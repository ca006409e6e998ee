"""Count the jobs anew."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-concurrent-refresh
    op.execute("REFRESH MATERIALIZED VIEW usage")


def downgrade() -> None:
    """It is counted."""
