"""Nobody asks for jobs by rank."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-concurrent-index-drop
    op.drop_index("ix_jobs_rank", "jobs")


def downgrade() -> None:
    op.create_index_concurrently("ix_jobs_rank", "jobs", ["rank"])
