"""Find jobs by their status."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.create_index_concurrently("ix_jobs_status", "jobs", ["status"])


def downgrade() -> None:
    op.drop_index_concurrently("ix_jobs_status")
