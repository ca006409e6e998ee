"""Sum up the jobs."""

from alembic import op

revision = "0002"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE TABLE totals AS SELECT status, sum(size_bytes) FROM jobs GROUP BY 1")


def downgrade() -> None:
    op.drop_table("totals")
