"""Build an index anew."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-concurrent-reindex
    op.execute("REINDEX INDEX ix_jobs_rank")


def downgrade() -> None:
    """It is the same index."""
