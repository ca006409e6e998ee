"""Find jobs by their status."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-if-not-exists-on-concurrent-index
    # finds: require-step-outside-a-transaction
    # finds: require-complete-trace
    op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_jobs_status ON jobs (status)")


def downgrade() -> None:
    op.drop_index_concurrently("ix_jobs_status")
