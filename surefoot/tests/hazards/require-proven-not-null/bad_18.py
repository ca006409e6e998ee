"""Compute the rank after each one."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"
since = 18


def upgrade() -> None:
    # finds: require-proven-not-null
    op.execute(
        "ALTER TABLE jobs ADD COLUMN next integer "
        "GENERATED ALWAYS AS (coalesce(rank, 0) + 1) VIRTUAL NOT NULL"
    )


def downgrade() -> None:
    op.drop_column("jobs", "next")
