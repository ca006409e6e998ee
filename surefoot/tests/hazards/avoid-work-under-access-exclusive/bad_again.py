"""Compute the usage with its jobs: who reads it waits for the end."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("DROP MATERIALIZED VIEW usage")
    # finds: avoid-work-under-access-exclusive
    op.execute(
        "CREATE MATERIALIZED VIEW usage AS "
        "SELECT kind, count(*) AS n, count(job_id) AS jobs FROM tags GROUP BY kind"
    )
    op.execute("CREATE UNIQUE INDEX ux_usage_kind ON usage (kind)")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
