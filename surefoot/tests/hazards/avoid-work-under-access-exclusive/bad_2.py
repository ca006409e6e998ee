"""Analyze a table that has a new column."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE tags ADD COLUMN place text")
    # finds: avoid-work-under-access-exclusive
    op.execute("ANALYZE tags")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
