"""Compute a job's size in megabytes when it is read."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"
since = 18


def upgrade() -> None:
    op.execute(
        "ALTER TABLE jobs ADD COLUMN size_mb bigint GENERATED ALWAYS AS (size_bytes / "
        "1000000) VIRTUAL"
    )


def downgrade() -> None:
    op.drop_column("jobs", "size_mb")
