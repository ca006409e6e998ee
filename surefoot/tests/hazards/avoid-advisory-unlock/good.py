"""Release a lock of its own."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("SELECT pg_advisory_lock(42)")
    op.execute("ALTER TABLE jobs ADD COLUMN number integer")
    op.execute("SELECT pg_advisory_unlock(42)")


def downgrade() -> None:
    op.drop_column("jobs", "number")
