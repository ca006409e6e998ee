"""Load results without their jobs."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-switching-checks-off
    op.execute("SET LOCAL session_replication_role = replica")
    op.execute("INSERT INTO results (job_id) VALUES (-1)")
    op.execute("SET LOCAL session_replication_role = origin")


def downgrade() -> None:
    op.execute("DELETE FROM results WHERE job_id = -1")
