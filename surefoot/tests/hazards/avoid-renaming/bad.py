"""Say tasks for jobs."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-renaming
    op.rename_table("jobs", "tasks")


def downgrade() -> None:
    op.rename_table("tasks", "jobs")
