"""Widen a column with an index, and take its domain away: the indexes keep their files."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE docs ALTER COLUMN title TYPE varchar(200)")
    op.execute("ALTER TABLE docs ALTER COLUMN title TYPE text")
    op.execute("ALTER TABLE docs ALTER COLUMN name TYPE text")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
