"""Find jobs by their status."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-step-outside-a-transaction
    # finds: require-complete-trace
    op.execute("CREATE INDEX CONCURRENTLY ix_jobs_status ON jobs (status)")


def downgrade() -> None:
    op.drop_index_concurrently("ix_jobs_status")
