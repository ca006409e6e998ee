"""Add a number, and prove a check that waits for that."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN number integer")
    # finds: avoid-work-under-access-exclusive
    op.execute("CREATE TABLE totals AS SELECT status, sum(size_bytes) FROM jobs GROUP BY 1")


def downgrade() -> None:
    op.drop_table("totals")
    op.drop_column("jobs", "number")
